-- One row a person, held while their consent changes or a message to them is decided on: the two never cross.
create table messages_person (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  consents int not null, -- how many lines their consent log has
  primary key (bucket, person_id)
);
grant select, insert, update (consents), delete on messages_person to liuke_app;

-- Who agreed to what, when, on which text, and how that can be shown. Lines are added, never changed; only the erasure
-- of the whole person takes them away. What holds is the line with the latest `at`, the higher seq among equals.
create table messages_consent (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  seq int not null,
  purpose text not null,
  channel text not null,
  granted boolean not null,
  text_version text not null,
  proof text not null, -- a code or an id: where it was said
  made_up boolean not null default false, -- of demo people, who never said anything
  at timestamptz not null, -- shop clock
  recorded_at timestamptz not null, -- machine clock
  primary key (bucket, person_id, seq)
);
grant select, insert, delete on messages_consent to liuke_app;

create table messages_template (
  key text not null,
  version int not null,
  purpose text not null,
  zh jsonb not null, -- {subject, body}
  en jsonb not null,
  at timestamptz not null, -- machine clock
  primary key (key, version)
);
grant select, insert, delete on messages_template to liuke_app;

create table messages_settings (
  single boolean primary key default true check (single),
  limits jsonb not null, -- {purpose: {week, month}}: messages a person gets in any 7 and any 30 days
  quiet_from text not null, -- on the shop's wall
  quiet_until text not null
);
insert into messages_settings (limits, quiet_from, quiet_until) values (
  '{"marketing": {"week": 1, "month": 3}, "service": {"week": 7, "month": 20}}', '21:00', '09:00');
grant select, update (limits, quiet_from, quiet_until) on messages_settings to liuke_app;

-- A message and the verdict on it. No text is kept: it is made of template, version and data whenever it is shown.
create table messages_message (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  id uuid not null,
  purpose text not null,
  template text not null,
  version int not null,
  channels text[] not null, -- asked for
  data jsonb not null, -- ids only: {skus, couponId}
  cause text not null,
  asked_at timestamptz not null, -- shop clock
  due_at timestamptz not null, -- shop clock
  verdict text not null check (verdict in ('waiting', 'queued', 'suppressed')),
  reason text check ((verdict = 'suppressed') = (reason is not null)),
  released_at timestamptz check ((verdict = 'queued') = (released_at is not null)), -- shop clock
  -- What it was judged by, so that the judgement can be checked whatever the settings have become.
  consents int not null,
  policy jsonb not null, -- {week, month, quietFrom, quietUntil, timeZone}
  primary key (bucket, person_id, id)
);
create index messages_message_released on messages_message (bucket, person_id, purpose, released_at)
  where released_at is not null;
create index messages_message_cause on messages_message (cause);
grant select, insert, delete, update (due_at, verdict, reason, released_at, consents, policy)
  on messages_message to liuke_app;

create table messages_delivery (
  bucket smallint not null check (bucket between 0 and 255),
  person_id uuid not null,
  message_id uuid not null,
  channel text not null check (channel in ('inapp', 'email')),
  state text not null check (state in ('ready', 'sending', 'sent', 'preview', 'failed', 'suppressed')),
  reason text, -- a code
  attempts smallint not null default 0,
  due_at timestamptz not null, -- shop clock: quiet hours go by it
  next_at timestamptz not null, -- machine clock: back-off, and the end of a claim
  language text, -- of what left
  consents int not null, -- as in messages_message, at the last check before it left
  sent_at timestamptz, -- shop clock: the last check before it left; in the inbox at once
  accepted_at timestamptz, -- machine clock: the mail server took it
  read_at timestamptz, -- shop clock
  primary key (bucket, person_id, message_id, channel)
);
create index messages_delivery_due on messages_delivery (next_at) where state in ('ready', 'sending');
create index messages_delivery_preview on messages_delivery (due_at) where state = 'preview';
grant select, insert, update, delete on messages_delivery to liuke_app;
