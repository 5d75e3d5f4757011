"""The story: watch -> secure -> gather -> prepare -> deliver.

Each chapter is a module that knows only ports: no SQLite, no HTTP, no OpenCV, no directory listing.

- watch: hints and walks lead to files, and each chapter below gets its turn.
- secure: a seen file is claimed, waits until it is finished (waiting), is proven and copied (look), and becomes a part
  of ours (keep).
- gather: parts that belong together become a sighting, and a whole sighting an event.
- prepare: an event becomes the post that every target gets.
- deliver: a post reaches one target exactly once.
"""
