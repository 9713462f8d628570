"""What the service says about itself: its log and its metrics."""
