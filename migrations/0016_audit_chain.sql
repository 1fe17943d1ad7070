-- Which lines wait for their seal. Written with the line, so that one committed late is sealed like any other.
create table audit_due (
  audit_id bigint primary key
);
grant select, insert, delete on audit_due to liuke_app;

-- The chain. Its order is its own: an identity column is no order of commits.
create table audit_seal (
  seq bigint primary key check (seq > 0), -- without a gap from 1
  audit_id bigint not null unique,
  hash bytea not null -- HMAC-SHA-256 over the hash before, seq and the line as it stands
);
grant select, insert on audit_seal to liuke_app;

create index audit_actor on audit (actor, id);

-- What was sealed is changed by nobody: the program's role has no right to, whatever it is granted by mistake elsewhere.
revoke update, delete, truncate on audit, audit_seal from liuke_app;
