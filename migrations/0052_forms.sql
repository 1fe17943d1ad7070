-- A form to register with, as its operator declared it. Each change is a version: what somebody agreed to can be read
-- again in the words of that day.
create table forms_form (
  id uuid primary key,
  slug text not null unique,
  state text not null check (state in ('draft', 'live', 'closed')),
  version int not null,
  source_id uuid not null, -- what visitors type comes from this source, and is unverified
  origins text[] not null default '{}', -- pages of these may show it
  created_at timestamptz not null -- machine clock
);
grant select, insert, update on forms_form to liuke_app;
create table forms_version (
  form_id uuid not null,
  version int not null,
  definition jsonb not null,
  at timestamptz not null, -- machine clock
  primary key (form_id, version)
);
grant select, insert on forms_version to liuke_app;

-- That a node answered, and which fields; what it answered is in the log, sealed where it names somebody. Whose the node
-- is, is looked up: a merge rewrites nothing here.
create table forms_submission (
  bucket smallint not null check (bucket between 0 and 255),
  node_id uuid not null,
  id uuid not null,
  form_id uuid not null,
  version int not null,
  asked text[] not null,
  filled text[] not null,
  at timestamptz not null, -- shop clock
  primary key (bucket, node_id, id)
);
create index forms_submission_form on forms_submission (form_id);
grant select, insert, delete on forms_submission to liuke_app;

-- Consents that wait until the link in a mail is followed; at most seven days.
create table forms_pending (
  id uuid primary key,
  form_id uuid not null,
  version int not null,
  language text not null,
  blind bytea not null, -- of the address: an erasure finds it
  sealed bytea not null, -- the address, under a key of the installation
  consents jsonb not null, -- [{purpose, channel}]
  -- The person whose token came with it, where one did: then the address becomes theirs as well.
  of_bucket smallint,
  of_person uuid,
  expires_at timestamptz not null -- machine clock
);
create index forms_pending_blind on forms_pending (blind);
create index forms_pending_of on forms_pending (of_person) where of_person is not null;
create index forms_pending_expires on forms_pending (expires_at);
grant select, insert, update, delete on forms_pending to liuke_app;
