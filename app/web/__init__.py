"""The HTTP side: Faust web views in blueprints, and one guard in front of them."""
