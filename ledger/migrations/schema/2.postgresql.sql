CREATE TABLE closing (
    day TEXT NOT NULL,
    before_root BYTEA,
    before_rows BIGINT,
    block BIGINT NOT NULL,
    PRIMARY KEY (day),
    CHECK ((before_root IS NULL) = (before_rows IS NULL)),
    CHECK (length(before_root) = 32),
    CHECK (before_rows >= 0),
    CHECK (block >= 0)
);
CREATE TABLE remark (
    block BIGINT NOT NULL,
    remark BIGINT NOT NULL,
    kind TEXT NOT NULL,
    origin BYTEA NOT NULL,
    extrinsic BIGINT,
    day TEXT,
    PRIMARY KEY (block, remark),
    CHECK (block >= 0),
    CHECK (remark >= 0),
    CHECK (kind IN ('program', 'member', 'milestone', 'decision', 'payout', 'link', 'observe', 'report')),
    CHECK (length(origin) = 32),
    CHECK (extrinsic >= 0)
);
CREATE TABLE closing_commitment (
    day TEXT NOT NULL,
    oracle BYTEA NOT NULL,
    root BYTEA NOT NULL,
    rows BIGINT NOT NULL,
    PRIMARY KEY (day, oracle),
    FOREIGN KEY(day) REFERENCES closing (day) DEFERRABLE INITIALLY DEFERRED,
    CHECK (length(oracle) = 32),
    CHECK (length(root) = 32),
    CHECK (rows >= 0)
);
CREATE TABLE closing_member (
    day TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (day, member),
    FOREIGN KEY(day) REFERENCES closing (day) DEFERRABLE INITIALLY DEFERRED
);
