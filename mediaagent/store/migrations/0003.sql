-- Version 3: keys of what became part of an event that has another key. Those of posts that were handed over stand in
-- the facts of their words.

CREATE TABLE joined (
    source TEXT NOT NULL,
    key    TEXT NOT NULL,
    event  INTEGER NOT NULL REFERENCES events (id),
    PRIMARY KEY (source, key)
) WITHOUT ROWID;
INSERT OR IGNORE INTO joined
    SELECT parts.source, json_extract(parts.facts, '$.token'), events.id FROM parts JOIN events ON events.id = parts.event
    WHERE parts.source = 'post:' AND parts.role = 'words' AND json_extract(parts.facts, '$.token') <> events.key;
