-- A shop may give a refund the number of its order: then there are a sale and a refund of that number, and neither
-- changes what the other came to.
alter table orders_order drop constraint orders_order_pkey,
  add primary key (bucket, person_id, source_id, ref, kind);
