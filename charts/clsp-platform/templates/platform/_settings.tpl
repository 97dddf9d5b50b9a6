{{/* The release as the platform's commands see it. */}}
{{- define "clsp.platformSettings" -}}
release: {{ .Release.Name }}
namespace: {{ .Release.Namespace }}
prefix: {{ include "clsp.fullname" . }}
store:
  uri: {{ include "clsp.storeUri" . | quote }}
  endpoint: {{ .Values.store.endpoint | quote }}
  region: {{ .Values.store.region | quote }}
  secretName: {{ .Values.store.secretName | quote }}
kfp:
  endpoint: {{ .Values.kfp.endpoint | quote }}
  tokenAudience: {{ .Values.kfp.tokenAudience | quote }}
images:
  step: {{ include "clsp.image" (dict "root" . "role" "step") | quote }}
  trainer: {{ include "clsp.image" (dict "root" . "role" "trainer") | quote }}
  embedder: {{ include "clsp.image" (dict "root" . "role" "embedder") | quote }}
  pullPolicy: {{ .Values.images.pullPolicy }}
  pullSecrets: {{ toJson .Values.images.pullSecrets }}
serviceAccounts:
  steps: {{ include "clsp.stepsAccount" . }}
  trainer: {{ include "clsp.fullname" . }}-trainer
  serving: {{ include "clsp.fullname" . }}-serving
placement:
  {{- toYaml .Values.placement | nindent 2 }}
pools:
  {{- range $name, $pool := .Values.pools }}
  {{ $name }}:
    nodeLabels: {{ toJson $pool.nodeLabels }}
    tolerations: {{ toJson $pool.tolerations }}
    gpuResource: {{ $pool.gpuResource | quote }}
    gpusPerNode: {{ $pool.gpusPerNode }}
    queue: {{ ternary (default $.Values.kueue.queue $pool.queue) "" $.Values.kueue.enabled | quote }}
  {{- end }}
priorityClasses:
  {{- toYaml .Values.priorityClasses | nindent 2 }}
endpoints:
  speech: {{ ternary (printf "http://%s-speech-predictor.%s.svc" (include "clsp.fullname" .) .Release.Namespace) "" (and (ne .Values.serving.model.uri "") .Values.serving.speech.enabled) | quote }}
  text: {{ ternary (printf "http://%s-text-predictor.%s.svc" (include "clsp.fullname" .) .Release.Namespace) "" (and (ne .Values.serving.model.uri "") .Values.serving.text.enabled) | quote }}
uses:
  kserve: {{ ne .Values.serving.model.uri "" }}
  kueue: {{ .Values.kueue.enabled }}
  keda: {{ .Values.serving.autoscaling.keda.enabled }}
  canary: {{ .Values.serving.canary.enabled }}
  prometheusOperator: {{ or .Values.monitoring.monitors.enabled .Values.monitoring.rules.enabled }}
  grafana: {{ .Values.monitoring.dashboards.enabled }}
{{- end -}}
