CREATE TABLE block_state (
    number BIGINT NOT NULL,
    clock BIGINT NOT NULL,
    checksum BYTEA NOT NULL,
    PRIMARY KEY (number),
    FOREIGN KEY(number) REFERENCES block (number) DEFERRABLE INITIALLY DEFERRED,
    CHECK (number >= 0),
    CHECK (clock >= 0),
    CHECK (length(checksum) = 32)
);
CREATE TABLE state_history (
    key BYTEA NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    value BYTEA NOT NULL,
    PRIMARY KEY (key, since),
    CHECK (since < until),
    FOREIGN KEY(until) REFERENCES block (number) DEFERRABLE INITIALLY DEFERRED,
    CHECK (since >= 0),
    CHECK (until >= 0)
);
