CREATE TABLE account_lock (
    account BYTEA NOT NULL,
    lock BYTEA NOT NULL,
    amount NUMERIC(39, 0) NOT NULL,
    reasons TEXT NOT NULL,
    PRIMARY KEY (account, lock),
    CHECK (length(account) = 32),
    CHECK (length(lock) = 8),
    CHECK (amount BETWEEN 0 AND 340282366920938463463374607431768211455),
    CHECK (reasons IN ('fee', 'misc', 'all'))
);
CREATE TABLE block (
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    parent_hash BYTEA NOT NULL,
    spec_version BIGINT NOT NULL,
    timestamp_ms BIGINT NOT NULL,
    extrinsics BIGINT NOT NULL,
    PRIMARY KEY (number),
    CHECK (number >= 0),
    CHECK (length(hash) = 32),
    CHECK (length(parent_hash) = 32),
    CHECK (spec_version >= 0),
    CHECK (timestamp_ms >= 0),
    CHECK (extrinsics >= 0)
);
CREATE TABLE class_lock (
    account BYTEA NOT NULL,
    track BIGINT NOT NULL,
    amount NUMERIC(39, 0) NOT NULL,
    PRIMARY KEY (account, track),
    CHECK (length(account) = 32),
    CHECK (track >= 0),
    CHECK (amount BETWEEN 0 AND 340282366920938463463374607431768211455)
);
CREATE TABLE decision (
    block BIGINT NOT NULL,
    remark BIGINT NOT NULL,
    member TEXT NOT NULL,
    outcome TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (block, remark),
    CHECK (block >= 0),
    CHECK (remark >= 0)
);
CREATE TABLE delegation (
    account BYTEA NOT NULL,
    track BIGINT NOT NULL,
    target BYTEA NOT NULL,
    conviction TEXT NOT NULL,
    balance NUMERIC(39, 0) NOT NULL,
    PRIMARY KEY (account, track),
    CHECK (account <> target),
    CHECK (length(account) = 32),
    CHECK (track >= 0),
    CHECK (length(target) = 32),
    CHECK (conviction IN ('none', 'locked_1x', 'locked_2x', 'locked_3x', 'locked_4x', 'locked_5x', 'locked_6x')),
    CHECK (balance BETWEEN 0 AND 340282366920938463463374607431768211455)
);
CREATE INDEX delegation_target ON delegation (target);
CREATE TABLE digest (
    oracle BYTEA NOT NULL,
    day TEXT NOT NULL,
    kind TEXT NOT NULL,
    root BYTEA NOT NULL,
    rows BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    block BIGINT NOT NULL,
    PRIMARY KEY (oracle, day, kind),
    CHECK (length(oracle) = 32),
    CHECK (kind IN ('observe', 'report')),
    CHECK (length(root) = 32),
    CHECK (rows >= 0),
    CHECK (length(digest) = 32),
    CHECK (block >= 0)
);
CREATE TABLE equivocation (
    oracle BYTEA NOT NULL,
    day TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_root BYTEA NOT NULL,
    second_root BYTEA NOT NULL,
    block BIGINT NOT NULL,
    PRIMARY KEY (oracle, day, kind),
    CHECK (first_root <> second_root),
    CHECK (length(oracle) = 32),
    CHECK (kind IN ('observe', 'report')),
    CHECK (length(first_root) = 32),
    CHECK (length(second_root) = 32),
    CHECK (block >= 0)
);
CREATE TABLE link (
    member TEXT NOT NULL,
    network TEXT NOT NULL,
    account BYTEA NOT NULL,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (member, network, account),
    CHECK (length(account) = 32),
    CHECK (linked_at >= 0)
);
CREATE TABLE member (
    member TEXT NOT NULL,
    name TEXT NOT NULL,
    region TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    registered_at BIGINT NOT NULL,
    status_since BIGINT NOT NULL,
    PRIMARY KEY (member),
    CHECK (status IN ('active', 'suspended', 'removed')),
    CHECK (registered_at >= 0),
    CHECK (status_since >= 0)
);
CREATE TABLE member_account (
    member TEXT NOT NULL,
    network TEXT NOT NULL,
    account BYTEA,
    payee BYTEA,
    PRIMARY KEY (member, network),
    CHECK (account IS NOT NULL OR payee IS NOT NULL),
    CHECK (length(account) = 32),
    CHECK (length(payee) = 32)
);
CREATE TABLE milestone (
    member TEXT NOT NULL,
    milestone BIGINT NOT NULL,
    evidence BYTEA NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (member, milestone),
    CHECK (milestone >= 0),
    CHECK (length(evidence) = 32),
    CHECK (granted_at >= 0)
);
CREATE TABLE multisig_operation (
    multisig BYTEA NOT NULL,
    call_hash BYTEA NOT NULL,
    height BIGINT NOT NULL,
    extrinsic BIGINT NOT NULL,
    nth BIGINT NOT NULL,
    status TEXT NOT NULL,
    threshold BIGINT NOT NULL,
    signatories BYTEA NOT NULL,
    depositor BYTEA NOT NULL,
    deposit NUMERIC(39, 0) NOT NULL,
    call BYTEA,
    closed_by BYTEA,
    closed_block BIGINT,
    closed_extrinsic BIGINT,
    error TEXT,
    PRIMARY KEY (multisig, call_hash, height, extrinsic, nth),
    CHECK ((status IN ('open', 'migrated')) = (closed_by IS NULL)),
    CHECK ((closed_by IS NULL) = (closed_block IS NULL)),
    CHECK (error IS NULL OR status = 'executed'),
    CHECK (closed_extrinsic IS NULL OR closed_block IS NOT NULL),
    CHECK (threshold >= 2),
    CHECK (length(signatories) %% 32 = 0 AND length(signatories) >= 64),
    CHECK (length(multisig) = 32),
    CHECK (length(call_hash) = 32),
    CHECK (height >= 0),
    CHECK (extrinsic >= 0),
    CHECK (nth >= 0),
    CHECK (status IN ('open', 'executed', 'cancelled', 'migrated')),
    CHECK (threshold >= 0),
    CHECK (length(depositor) = 32),
    CHECK (deposit BETWEEN 0 AND 340282366920938463463374607431768211455),
    CHECK (length(closed_by) = 32),
    CHECK (closed_block >= 0),
    CHECK (closed_extrinsic >= 0)
);
CREATE INDEX multisig_operation_call_hash ON multisig_operation (call_hash);
CREATE TABLE officer (
    role TEXT NOT NULL,
    position BIGINT NOT NULL,
    account BYTEA NOT NULL,
    PRIMARY KEY (role, position),
    CHECK (role IN ('curator', 'oracle')),
    CHECK (position >= 0),
    CHECK (length(account) = 32)
);
CREATE TABLE paid (
    period TEXT NOT NULL,
    member TEXT NOT NULL,
    item TEXT NOT NULL,
    payee BYTEA NOT NULL,
    amount NUMERIC(39, 0) NOT NULL,
    block BIGINT NOT NULL,
    nth BIGINT NOT NULL,
    line BIGINT NOT NULL,
    PRIMARY KEY (period, member, item),
    CHECK (length(payee) = 32),
    CHECK (amount BETWEEN 0 AND 340282366920938463463374607431768211455),
    CHECK (block >= 0),
    CHECK (nth >= 0),
    CHECK (line >= 0)
);
CREATE TABLE payout_batch (
    block BIGINT NOT NULL,
    nth BIGINT NOT NULL,
    status TEXT NOT NULL,
    period TEXT NOT NULL,
    statement BYTEA NOT NULL,
    call_hash BYTEA NOT NULL,
    extrinsic BIGINT,
    lines BIGINT NOT NULL,
    total NUMERIC(39, 0) NOT NULL,
    error TEXT,
    PRIMARY KEY (block, nth),
    CHECK ((status = 'failed') = (error IS NOT NULL)),
    CHECK (block >= 0),
    CHECK (nth >= 0),
    CHECK (status IN ('paid', 'failed', 'irregular')),
    CHECK (length(statement) = 32),
    CHECK (length(call_hash) = 32),
    CHECK (extrinsic >= 0),
    CHECK (lines >= 0),
    CHECK (total BETWEEN 0 AND 340282366920938463463374607431768211455)
);
CREATE TABLE poll (
    poll BIGINT NOT NULL,
    track BIGINT,
    status TEXT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (poll),
    CHECK ((ended_at IS NULL) = (status = 'ongoing')),
    CHECK (track IS NOT NULL OR status <> 'ongoing'),
    CHECK (poll >= 0),
    CHECK (track >= 0),
    CHECK (status IN ('ongoing', 'approved', 'rejected', 'cancelled', 'timed_out', 'killed')),
    CHECK (ended_at >= 0)
);
CREATE TABLE prior_lock (
    account BYTEA NOT NULL,
    track BIGINT NOT NULL,
    until BIGINT NOT NULL,
    amount NUMERIC(39, 0) NOT NULL,
    PRIMARY KEY (account, track),
    CHECK (length(account) = 32),
    CHECK (track >= 0),
    CHECK (until >= 0),
    CHECK (amount BETWEEN 0 AND 340282366920938463463374607431768211455)
);
CREATE TABLE programme (
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    rules BYTEA NOT NULL,
    multisig BYTEA NOT NULL,
    threshold BIGINT NOT NULL,
    quorum BIGINT NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1),
    CHECK (id >= 0),
    CHECK (length(rules) = 32),
    CHECK (length(multisig) = 32),
    CHECK (threshold >= 0),
    CHECK (quorum >= 0)
);
CREATE TABLE rejection (
    block BIGINT NOT NULL,
    remark BIGINT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    origin BYTEA,
    extrinsic BIGINT,
    PRIMARY KEY (block, remark),
    CHECK (block >= 0),
    CHECK (remark >= 0),
    CHECK (code IN ('unknown_kind', 'malformed', 'wrong_origin', 'unknown_member', 'not_possible_now', 'account_taken', 'wrong_signature', 'other_programme', 'day_not_over', 'broken_chain', 'repeated', 'equivocated', 'unknown_observation', 'out_of_place')),
    CHECK (length(origin) = 32),
    CHECK (extrinsic >= 0)
);
CREATE TABLE runtime (
    spec_version BIGINT NOT NULL,
    metadata_version BIGINT NOT NULL,
    zstd BYTEA NOT NULL,
    PRIMARY KEY (spec_version, metadata_version),
    CHECK (spec_version >= 0),
    CHECK (metadata_version >= 0)
);
CREATE TABLE standing_report (
    day TEXT NOT NULL,
    root BYTEA NOT NULL,
    rows BIGINT NOT NULL,
    reporters BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (day),
    CHECK (length(root) = 32),
    CHECK (rows >= 0),
    CHECK (reporters >= 0),
    CHECK (since >= 0)
);
CREATE TABLE state_entry (
    key BYTEA NOT NULL,
    value BYTEA NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (key),
    CHECK (changed_at >= 0)
);
CREATE TABLE unattributed (
    block BIGINT NOT NULL,
    nth BIGINT NOT NULL,
    extrinsic BIGINT,
    call TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (block, nth),
    CHECK (block >= 0),
    CHECK (nth >= 0),
    CHECK (extrinsic >= 0)
);
CREATE TABLE violation (
    block BIGINT NOT NULL,
    nth BIGINT NOT NULL,
    line BIGINT NOT NULL,
    code TEXT NOT NULL,
    payee BYTEA,
    amount NUMERIC(39, 0) NOT NULL,
    PRIMARY KEY (block, nth, line),
    CHECK (block >= 0),
    CHECK (nth >= 0),
    CHECK (line >= 0),
    CHECK (code IN ('calls_do_not_match', 'no_transfer', 'unknown_member', 'wrong_payee', 'paid_before')),
    CHECK (length(payee) = 32),
    CHECK (amount BETWEEN 0 AND 340282366920938463463374607431768211455)
);
CREATE TABLE vote (
    account BYTEA NOT NULL,
    track BIGINT NOT NULL,
    poll BIGINT NOT NULL,
    kind TEXT NOT NULL,
    conviction TEXT,
    aye NUMERIC(39, 0),
    nay NUMERIC(39, 0),
    abstain NUMERIC(39, 0),
    PRIMARY KEY (account, track, poll),
    CHECK ((conviction IS NOT NULL) = (kind IN ('aye', 'nay'))),
    CHECK ((aye IS NOT NULL) = (kind <> 'nay')),
    CHECK ((nay IS NOT NULL) = (kind <> 'aye')),
    CHECK ((abstain IS NOT NULL) = (kind = 'split_abstain')),
    CHECK (length(account) = 32),
    CHECK (track >= 0),
    CHECK (poll >= 0),
    CHECK (kind IN ('aye', 'nay', 'split', 'split_abstain')),
    CHECK (conviction IN ('none', 'locked_1x', 'locked_2x', 'locked_3x', 'locked_4x', 'locked_5x', 'locked_6x')),
    CHECK (aye BETWEEN 0 AND 340282366920938463463374607431768211455),
    CHECK (nay BETWEEN 0 AND 340282366920938463463374607431768211455),
    CHECK (abstain BETWEEN 0 AND 340282366920938463463374607431768211455)
);
CREATE INDEX vote_poll ON vote (poll);
CREATE TABLE ledger_meta (
    id BIGINT NOT NULL,
    schema_version BIGINT NOT NULL,
    network TEXT NOT NULL,
    genesis_hash BYTEA NOT NULL,
    expected_origin BYTEA,
    head BIGINT,
    state_checksum BYTEA NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1),
    FOREIGN KEY(head) REFERENCES block (number) DEFERRABLE INITIALLY DEFERRED,
    CHECK (id >= 0),
    CHECK (schema_version >= 0),
    CHECK (length(genesis_hash) = 32),
    CHECK (length(expected_origin) = 32),
    CHECK (head >= 0),
    CHECK (length(state_checksum) = 32)
);
CREATE TABLE multisig_approval (
    multisig BYTEA NOT NULL,
    call_hash BYTEA NOT NULL,
    height BIGINT NOT NULL,
    extrinsic BIGINT NOT NULL,
    nth BIGINT NOT NULL,
    account BYTEA NOT NULL,
    position BIGINT NOT NULL,
    approved_block BIGINT,
    approved_extrinsic BIGINT,
    PRIMARY KEY (multisig, call_hash, height, extrinsic, nth, account),
    FOREIGN KEY(multisig, call_hash, height, extrinsic, nth) REFERENCES multisig_operation (multisig, call_hash, height, extrinsic, nth) DEFERRABLE INITIALLY DEFERRED,
    CHECK (approved_extrinsic IS NULL OR approved_block IS NOT NULL),
    CHECK (length(multisig) = 32),
    CHECK (length(call_hash) = 32),
    CHECK (height >= 0),
    CHECK (extrinsic >= 0),
    CHECK (nth >= 0),
    CHECK (length(account) = 32),
    CHECK (position >= 0),
    CHECK (approved_block >= 0),
    CHECK (approved_extrinsic >= 0)
);
