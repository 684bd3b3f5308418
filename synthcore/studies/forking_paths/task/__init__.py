"""ForkWorld: text with planted forks, many worlds as arrays, and a world as a language model."""
