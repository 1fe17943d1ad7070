-- Whoever said something of themselves, shown by their token: all that was said of them is weighed together then.
alter table people_node add column own boolean not null default false;
update people_node n set own = true
from (
  select distinct bucket, node_id from collect_event
  where source_id = '5e1f0000-0000-8000-8000-000000000001' and name = 'identify'
    and exists (select from collect_source where id = '5e1f0000-0000-8000-8000-000000000001')
) e
where n.bucket = e.bucket and n.node_id = e.node_id;
