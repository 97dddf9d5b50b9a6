{{/* Prefix of every object: one release, one prefix. KServe appends to it, so it stays short. */}}
{{- define "clsp.fullname" -}}
{{- $name := default "clsp" .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 36 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What the endpoints that runs make are called by, in names and labels: never as those that the chart makes. */}}
{{- define "clsp.runsName" -}}
{{- dig "cluster" "release" (printf "%s-runs" (include "clsp.fullname" .)) .Values.flow.settings -}}
{{- end -}}

{{/* Service account of steps: the release's own, or that of a KFP which runs them beside itself. */}}
{{- define "clsp.stepsAccount" -}}
{{- ternary .Values.kfp.singleUser.serviceAccount (printf "%s-steps" (include "clsp.fullname" .)) (ne .Values.kfp.singleUser.namespace "") -}}
{{- end -}}

{{/* Name of an object that is not in a namespace: no two releases share one. */}}
{{- define "clsp.clusterName" -}}
{{- printf "%s-%s-%s" .root.Release.Namespace (include "clsp.fullname" .root) .part | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Labels that select the pods of one component. */}}
{{- define "clsp.selector" -}}
app.kubernetes.io/name: clsp-platform
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Labels of every object of one component. */}}
{{- define "clsp.labels" -}}
{{ include "clsp.selector" . }}
app.kubernetes.io/part-of: clsp-platform
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of the pods of one component: nothing that an upgrade alone would change, or every upgrade restarts them. */}}
{{- define "clsp.podLabels" -}}
{{ include "clsp.selector" . }}
app.kubernetes.io/part-of: clsp-platform
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of a namespaced object: dict root component name, optionally annotations extraLabels. */}}
{{- define "clsp.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "clsp.labels" . | nindent 2 }}
  {{- with .extraLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An image of the platform: dict root role. */}}
{{- define "clsp.image" -}}
{{- $image := index .root.Values.images .role -}}
{{- $name := $image.repository -}}
{{- with .root.Values.images.registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* URI of the release's store, without a slash at its end; empty without a bucket. */}}
{{- define "clsp.storeUri" -}}
{{- with .Values.store.bucket -}}
s3://{{ . }}/{{ default $.Release.Namespace $.Values.store.prefix | trimAll "/" }}
{{- end -}}
{{- end -}}

{{/* URI of a model: dict root uri. A reference without a scheme is one in the release's store. */}}
{{- define "clsp.modelUri" -}}
{{- if contains "://" .uri -}}
{{- .uri -}}
{{- else -}}
{{- printf "%s/models/%s" (include "clsp.storeUri" .root) .uri -}}
{{- end -}}
{{- end -}}
