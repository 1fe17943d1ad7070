-- Where a demo was taken away, these rows went with it: what every installation begins with.
insert into feeds_feed default values on conflict do nothing;
insert into people_rules default values on conflict do nothing;
insert into companies_role
select * from (values
  ('member', '成员', 'Member'), ('buyer', '采购', 'Buyer'), ('approver', '审批', 'Approver'),
  ('finance', '财务', 'Finance'), ('admin', '管理员', 'Admin')) as begin(code, zh, en)
where not exists (select from companies_role)
on conflict do nothing;
