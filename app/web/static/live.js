"use strict";
// Keys, and fragments that the server sends ready made. Everything works without it.
