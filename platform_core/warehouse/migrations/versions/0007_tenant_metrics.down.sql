drop table core.tenant_metric;
