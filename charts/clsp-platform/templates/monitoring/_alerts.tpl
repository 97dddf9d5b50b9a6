{{/* One alert, unless monitoring.rules.disabled names it: dict root name severity for expr summary runbook. */}}
{{- define "clsp.alert" -}}
{{- $rules := .root.Values.monitoring.rules -}}
{{- if not (has .name $rules.disabled) }}
- alert: {{ .name }}
  expr: |-
    {{- .expr | trim | nindent 4 }}
  for: {{ .for }}
  labels:
    severity: {{ .severity }}
    release: {{ .root.Release.Name }}
    namespace: {{ .root.Release.Namespace }}
  annotations:
    summary: {{ .summary | quote }}
    runbook: {{ .runbook | quote }}
    {{- with $rules.runbookUrl }}
    runbook_url: {{ printf "%s%s" . (lower $.name) | quote }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Selector of the pods of the endpoints, and of all pods that the release and its steps start. */}}
{{- define "clsp.endpointSeries" -}}
namespace="{{ .Release.Namespace }}",job="clsp-endpoints"
{{- end -}}
{{- define "clsp.podSeries" -}}
namespace="{{ .Release.Namespace }}",pod=~"({{ include "clsp.fullname" . }}|clsp)-.+"
{{- end -}}
