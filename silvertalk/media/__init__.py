"""Photos, voices and videos: where they lie (`store`) and what is made of them."""
