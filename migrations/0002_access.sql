-- Operators: e-mail and name are personal fields, so they stand here sealed, with a blind index to sign in by.
create table access_operator (
  id uuid primary key,
  email_blind bytea not null unique,
  email bytea not null, -- sealed
  name bytea not null, -- sealed
  role text not null check (role in ('owner', 'operator', 'analyst', 'agent', 'merchant', 'auditor')),
  merchants text[] not null default '{}', -- what the role merchant sees
  password text not null, -- argon2id, as PHC text
  language text check (language in ('zh', 'en')),
  created_at timestamptz not null, -- every instant here is of the machine's clock
  signed_in_at timestamptz,
  disabled_at timestamptz,
  reset_asked_at timestamptz -- waits for somebody to make the link, where no mail can be sent
);
create index access_operator_owner on access_operator (id) where role = 'owner';
grant select, insert, update, delete on access_operator to liuke_app;

-- The people given to an agent.
create table access_case (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  operator_id uuid not null references access_operator on delete cascade,
  at timestamptz not null,
  primary key (bucket, person_id, operator_id)
);
create index access_case_operator on access_case (operator_id);
grant select, insert, delete on access_case to liuke_app;

-- Secrets below are kept as SHA-256 only: each has 256 random bits, so a slow hash would add nothing.
create table access_session (
  hash bytea primary key,
  operator_id uuid not null references access_operator on delete cascade,
  remote bytea not null, -- blind index of where it was begun
  created_at timestamptz not null,
  seen_at timestamptz not null -- to the minute
);
create index access_session_operator on access_session (operator_id);
create index access_session_created on access_session (created_at);
grant select, insert, update (seen_at), delete on access_session to liuke_app;

create table access_invitation (
  id uuid primary key,
  hash bytea not null unique,
  email_blind bytea not null,
  email bytea not null, -- sealed
  role text not null check (role in ('owner', 'operator', 'analyst', 'agent', 'merchant', 'auditor')),
  merchants text[] not null default '{}',
  made_by text not null, -- an actor
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index access_invitation_email on access_invitation (email_blind);
grant select, insert, delete on access_invitation to liuke_app;

-- One-time ways in: taken away by the act they permit.
create table access_link (
  hash bytea primary key,
  kind text not null check (kind in ('reset', 'setup', 'setting_up')),
  operator_id uuid references access_operator on delete cascade, -- whose password a reset sets
  forced boolean not null default false, -- an owner's link although there is an owner
  expires_at timestamptz not null,
  check ((kind = 'reset') = (operator_id is not null))
);
create index access_link_operator on access_link (operator_id);
grant select, insert, delete on access_link to liuke_app;

create table access_key (
  id uuid primary key,
  hash bytea not null unique,
  prefix text not null,
  name text not null,
  permissions text[] not null,
  source_id uuid,
  source_kind text check (source_kind in ('server', 'public')),
  merchants text[], -- null: not narrowed
  made_by text not null, -- an actor
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  used_at timestamptz, -- to the minute
  check ((source_id is null) = (source_kind is null))
);
grant select, insert, update (revoked_at, used_at) on access_key to liuke_app;

-- What a source's server signs person tokens with. `id` is the token's kid.
create table access_token_key (
  id uuid primary key,
  source_id uuid not null,
  algorithm text not null check (algorithm in ('HS256', 'EdDSA')),
  sealed bytea not null, -- the shared secret, or the public key
  made_by text not null,
  created_at timestamptz not null,
  revoked_at timestamptz
);
grant select, insert, update (revoked_at) on access_token_key to liuke_app;

-- Tries of one key (a blind index: no address and no e-mail stands here) in the window that ends at `until`.
create table access_try (
  key bytea primary key,
  tries int not null,
  until timestamptz not null
);
create index access_try_until on access_try (until);
grant select, insert, update, delete on access_try to liuke_app;
