CREATE TABLE block_state (
    number INTEGER NOT NULL,
    clock INTEGER NOT NULL,
    checksum BLOB NOT NULL,
    PRIMARY KEY (number),
    FOREIGN KEY(number) REFERENCES block (number) DEFERRABLE INITIALLY DEFERRED,
    CHECK (typeof(number) IN ('integer', 'null')),
    CHECK (number >= 0),
    CHECK (typeof(clock) IN ('integer', 'null')),
    CHECK (clock >= 0),
    CHECK (typeof(checksum) IN ('blob', 'null')),
    CHECK (length(checksum) = 32)
);
CREATE TABLE state_history (
    "key" BLOB NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY ("key", since),
    CHECK (since < until),
    FOREIGN KEY(until) REFERENCES block (number) DEFERRABLE INITIALLY DEFERRED,
    CHECK (typeof(key) IN ('blob', 'null')),
    CHECK (typeof(since) IN ('integer', 'null')),
    CHECK (since >= 0),
    CHECK (typeof(until) IN ('integer', 'null')),
    CHECK (until >= 0),
    CHECK (typeof(value) IN ('blob', 'null'))
)
 WITHOUT ROWID;
