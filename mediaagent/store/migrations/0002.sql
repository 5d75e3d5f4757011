-- Version 2: parts that no post has, the same again, outcomes of topics, files that are not wanted after all, parts
-- that are recalled by their identity, and which of them a step tells of.

ALTER TABLE parts ADD COLUMN shown INTEGER NOT NULL DEFAULT 1;
CREATE INDEX parts_by_identity ON parts (inode, size, mtime_ns);
ALTER TABLE history ADD COLUMN part TEXT NOT NULL DEFAULT '';
CREATE INDEX history_by_part ON history (part) WHERE part <> '';
ALTER TABLE events ADD COLUMN topic TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN outcome TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN keep_until REAL NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN bucket TEXT NOT NULL DEFAULT '';
CREATE INDEX events_by_topic ON events (source, topic, id) WHERE topic <> '';
CREATE INDEX events_by_bucket ON events (source, bucket) WHERE bucket <> '';
CREATE TABLE repeats (
    event       INTEGER PRIMARY KEY REFERENCES events (id),
    first       INTEGER NOT NULL REFERENCES events (id),
    happened_at REAL NOT NULL,
    link        TEXT NOT NULL DEFAULT ''
);
CREATE INDEX repeats_by_first ON repeats (first, happened_at);

-- A CHECK can't be altered in place.
ALTER TABLE files RENAME TO files_1;
DROP INDEX files_by_identity;
CREATE TABLE files (
    source   TEXT NOT NULL,
    path     BLOB NOT NULL,
    device   INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state    TEXT NOT NULL
             CHECK (state IN ('taken', 'baseline', 'incomplete', 'refused', 'renamed', 'gone', 'unwanted')),
    reason   TEXT NOT NULL DEFAULT '',
    part     TEXT NOT NULL DEFAULT '',
    noted_at REAL NOT NULL,
    PRIMARY KEY (source, path)
) WITHOUT ROWID;
INSERT INTO files SELECT * FROM files_1;
DROP TABLE files_1;
CREATE INDEX files_by_identity ON files (inode, size, mtime_ns);
