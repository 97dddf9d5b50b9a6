"""What is generated for the Helm chart, so that nothing is written twice.

The comments of values.yaml are the one source of values.schema.json and of the table in the chart's README; the
settings of clsp/config give the types of the values that carry them; pipelines/dashboards gives the boards.
"""
