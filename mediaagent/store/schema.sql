-- The agent's memory, version 3. Times are seconds since 1970 UTC; paths are bytes as the system gives them;
-- files of our own are named relative to the spool folder.
-- An index with a WHERE serves only statements that say the same: values come by marks, which tell SQLite nothing
-- (tests/journey/test_questions.py looks at all plans).

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- What became of each file, by the name under which it was seen last.
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
CREATE INDEX files_by_identity ON files (inode, size, mtime_ns);

CREATE TABLE parts (
    id          TEXT PRIMARY KEY,
    source      TEXT NOT NULL,
    role        TEXT NOT NULL,
    path        BLOB NOT NULL,
    name        TEXT NOT NULL,
    files       TEXT NOT NULL,               -- JSON: role -> file in the spool
    sha256      TEXT NOT NULL,
    size        INTEGER NOT NULL,
    media_type  TEXT NOT NULL,
    device      INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    seen_at     REAL NOT NULL,
    modified_at REAL NOT NULL,
    facts       TEXT NOT NULL,
    identity    TEXT NOT NULL,
    copy        INTEGER NOT NULL,
    event       INTEGER REFERENCES events (id),
    released    INTEGER NOT NULL DEFAULT 0,  -- our copy is not needed any more
    spare       INTEGER NOT NULL DEFAULT 0,  -- the event's, but the same again: it changes nothing
    shown       INTEGER NOT NULL DEFAULT 1   -- 0: the event's, but no post has it
) WITHOUT ROWID;
CREATE INDEX parts_open ON parts (source) WHERE event IS NULL;
CREATE INDEX parts_by_event ON parts (event);
CREATE INDEX parts_spare ON parts (id) WHERE spare = 1 AND released = 0;
CREATE INDEX parts_by_content ON parts (sha256, source) WHERE sha256 <> '';
CREATE INDEX parts_by_path ON parts (path);
CREATE INDEX parts_by_identity ON parts (inode, size, mtime_ns);

CREATE TABLE events (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT NOT NULL,
    key         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    happened_at REAL NOT NULL,
    facts       TEXT NOT NULL,
    route       TEXT NOT NULL DEFAULT '{}',  -- JSON: where it goes, and as what, other than its source says
    revision    INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('new', 'prepared', 'dismissed', 'failed')),
    reason      TEXT NOT NULL DEFAULT '',
    closed_at   REAL NOT NULL,
    prepare_at  REAL NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 0,
    released    INTEGER NOT NULL DEFAULT 0,
    topic       TEXT NOT NULL DEFAULT '',    -- told of only when its outcome changes
    outcome     TEXT NOT NULL DEFAULT '',
    keep_until  REAL NOT NULL DEFAULT 0,     -- its copies stay so long, where there is room
    bucket      TEXT NOT NULL DEFAULT '',    -- by which the same is known when it comes again
    UNIQUE (source, key)
);
CREATE INDEX events_by_topic ON events (source, topic, id) WHERE topic <> '';
CREATE INDEX events_by_bucket ON events (source, bucket) WHERE bucket <> '';
CREATE INDEX events_to_prepare ON events (prepare_at, id) WHERE state = 'new';
CREATE INDEX events_lately ON events (source, closed_at);
CREATE INDEX events_to_release ON events (closed_at) WHERE released = 0;

-- Keys of what became part of an event that has another key. They are known for ever, as those of events are.
CREATE TABLE joined (
    source TEXT NOT NULL,
    key    TEXT NOT NULL,
    event  INTEGER NOT NULL REFERENCES events (id),
    PRIMARY KEY (source, key)
) WITHOUT ROWID;

-- Events that are the same again as an earlier one, whose post counts them.
CREATE TABLE repeats (
    event       INTEGER PRIMARY KEY REFERENCES events (id),
    first       INTEGER NOT NULL REFERENCES events (id),
    happened_at REAL NOT NULL,
    link        TEXT NOT NULL DEFAULT ''
);
CREATE INDEX repeats_by_first ON repeats (first, happened_at);

-- Prepared once, sent to every target the same; a variant is a smaller form for a target with a limit.
CREATE TABLE posts (
    event    INTEGER NOT NULL REFERENCES events (id),
    revision INTEGER NOT NULL,
    variant  INTEGER NOT NULL DEFAULT 0,
    post     TEXT NOT NULL,
    notes    TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (event, revision, variant)
) WITHOUT ROWID;

CREATE TABLE deliveries (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    event              INTEGER NOT NULL REFERENCES events (id),
    target             TEXT NOT NULL,
    key                TEXT NOT NULL,
    state              TEXT NOT NULL
                       CHECK (state IN ('waiting', 'sending', 'delivered', 'rejected', 'held', 'dropped')),
    ready              INTEGER NOT NULL DEFAULT 0,   -- the newest revision's post is prepared
    due_at             REAL NOT NULL,
    attempts           INTEGER NOT NULL DEFAULT 0,
    in_doubt           INTEGER NOT NULL DEFAULT 0,   -- an attempt may have got through
    attempted_at       REAL NOT NULL DEFAULT 0,
    last_error         TEXT NOT NULL DEFAULT '',
    progress           TEXT NOT NULL DEFAULT '{}',
    receipt            TEXT NOT NULL DEFAULT '',
    variant            INTEGER NOT NULL DEFAULT 0,
    revision_delivered INTEGER NOT NULL DEFAULT 0,
    delivered_at       REAL NOT NULL DEFAULT 0,
    verify_at          REAL,                         -- ask once more then
    UNIQUE (event, target)
);
-- Claims must find their row by index alone: ordering by another column costs a sort of the whole backlog.
CREATE INDEX deliveries_due ON deliveries (target, due_at, id) WHERE state = 'waiting' AND ready = 1;
CREATE INDEX deliveries_fresh ON deliveries (target, id) WHERE state = 'waiting' AND ready = 1 AND attempts = 0;
CREATE INDEX deliveries_verify ON deliveries (target, verify_at) WHERE verify_at IS NOT NULL;
CREATE INDEX deliveries_by_state ON deliveries (state, target);

-- Every decision, for `why`.
CREATE TABLE history (
    id     INTEGER PRIMARY KEY,
    at     REAL NOT NULL,
    source TEXT NOT NULL DEFAULT '',
    path   BLOB,
    event  INTEGER,
    target TEXT NOT NULL DEFAULT '',
    what   TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '',
    part   TEXT NOT NULL DEFAULT ''          -- what was taken then: producers give a name to one file after another
);
CREATE INDEX history_by_part ON history (part) WHERE part <> '';
CREATE INDEX history_by_path ON history (path) WHERE path IS NOT NULL;
CREATE INDEX history_by_event ON history (event) WHERE event IS NOT NULL;
