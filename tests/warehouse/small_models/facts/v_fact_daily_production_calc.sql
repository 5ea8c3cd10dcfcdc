select
    production.tenant_id,
    production.date,
    production.line_code,
    production.product_code,
    production.good_qty / nullif(production.total_qty, 0) as yield_rate
from bi.fact_daily_production as production
