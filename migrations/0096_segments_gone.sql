-- Segments that were deleted: what they were called, so that the histories of their people go on saying so.
create table segments_gone (
  id uuid primary key,
  name_zh text not null,
  name_en text not null,
  version int not null, -- of its last rule
  at timestamptz not null -- shop clock
);
grant select, insert on segments_gone to liuke_app;
-- What every segment is or was called.
create view segments_named as
  select id, name_zh, name_en from segments_segment
  union all
  select id, name_zh, name_en from segments_gone;
grant select on segments_named to liuke_app;
grant delete on segments_snapshot, segments_snapshot_member, segments_snapshot_company, segments_recount to liuke_app;
