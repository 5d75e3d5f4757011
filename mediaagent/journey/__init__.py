"""The story: secure -> gather -> prepare -> deliver.

Each chapter is a module that knows only ports: no SQLite, no HTTP, no OpenCV, no directory listing.

- secure: a seen file is claimed, waits until it is finished, and becomes a part of ours.
- gather: parts that belong together become a sighting, and a whole sighting an event.
- prepare: an event becomes the post that every target gets.
- deliver: a post reaches one target exactly once.
"""
