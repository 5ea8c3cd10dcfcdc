with newest as (
    select production.tenant_id, max(production.date) as date
    from bi.fact_daily_production as production
    group by production.tenant_id
)

select
    production.tenant_id,
    production.date,
    production.line_code,
    sum(production.total_qty) as total_qty
from bi.fact_daily_production as production
inner join newest on newest.tenant_id = production.tenant_id
where production.date > newest.date - 90
group by production.tenant_id, production.date, production.line_code
