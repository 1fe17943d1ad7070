alter table event add column if not exists flags UInt8 default 0;
