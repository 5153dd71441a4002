CREATE TABLE closing (
    day TEXT NOT NULL,
    before_root BLOB,
    before_rows INTEGER,
    block INTEGER NOT NULL,
    PRIMARY KEY (day),
    CHECK ((before_root IS NULL) = (before_rows IS NULL)),
    CHECK (typeof(before_root) IN ('blob', 'null')),
    CHECK (length(before_root) = 32),
    CHECK (typeof(before_rows) IN ('integer', 'null')),
    CHECK (before_rows >= 0),
    CHECK (typeof(block) IN ('integer', 'null')),
    CHECK (block >= 0)
);
CREATE TABLE remark (
    block INTEGER NOT NULL,
    remark INTEGER NOT NULL,
    kind TEXT NOT NULL,
    origin BLOB NOT NULL,
    extrinsic INTEGER,
    day TEXT,
    PRIMARY KEY (block, remark),
    CHECK (typeof(block) IN ('integer', 'null')),
    CHECK (block >= 0),
    CHECK (typeof(remark) IN ('integer', 'null')),
    CHECK (remark >= 0),
    CHECK (kind IN ('program', 'member', 'milestone', 'decision', 'payout', 'link', 'observe', 'report')),
    CHECK (typeof(origin) IN ('blob', 'null')),
    CHECK (length(origin) = 32),
    CHECK (typeof(extrinsic) IN ('integer', 'null')),
    CHECK (extrinsic >= 0)
);
CREATE TABLE closing_commitment (
    day TEXT NOT NULL,
    oracle BLOB NOT NULL,
    root BLOB NOT NULL,
    rows INTEGER NOT NULL,
    PRIMARY KEY (day, oracle),
    FOREIGN KEY(day) REFERENCES closing (day) DEFERRABLE INITIALLY DEFERRED,
    CHECK (typeof(oracle) IN ('blob', 'null')),
    CHECK (length(oracle) = 32),
    CHECK (typeof(root) IN ('blob', 'null')),
    CHECK (length(root) = 32),
    CHECK (typeof(rows) IN ('integer', 'null')),
    CHECK (rows >= 0)
);
CREATE TABLE closing_member (
    day TEXT NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (day, member),
    FOREIGN KEY(day) REFERENCES closing (day) DEFERRABLE INITIALLY DEFERRED
);
