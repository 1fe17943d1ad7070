select name from traits_trait where definition->'where' @> '[{"is": "exists"}]';
select name from traits_trait where definition ? 'where' and jsonb_typeof(definition->'where') <> 'array';
