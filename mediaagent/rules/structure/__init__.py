"""What proves, by markers and lengths, that a file of a known format is whole; one module for each family of formats.

Every proof takes a `Content` and returns "" when the file is whole, else what is missing, in words. It reads headers
and ends, not the whole file (the exceptions say so), and trusts nothing that it reads.
"""
