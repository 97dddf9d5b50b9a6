{{/* The recurring runs as `clsp schedule apply` reads them. */}}
{{- define "clsp.schedules" -}}
owner: {{ .Release.Namespace }}/{{ include "clsp.fullname" . }}
schedules: {{ toJson .Values.schedules.entries }}
{{- end -}}

{{/* A hook Job that brings recurring runs to what one file of the ConfigMap says: dict root when file. */}}
{{- define "clsp.scheduleJob" -}}
{{- $root := .root -}}
{{- $name := include "clsp.fullname" $root -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "clsp.metadata" (dict "root" $root "component" "schedules" "name" (printf "%s-schedules-%s" $name .verb) "annotations" (dict "helm.sh/hook" .when "helm.sh/hook-weight" "5" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded")) | nindent 2 }}
spec:
  backoffLimit: {{ $root.Values.schedules.backoffLimit }}
  activeDeadlineSeconds: {{ $root.Values.schedules.deadlineSeconds }}
  template:
    metadata:
      labels:
        {{- include "clsp.podLabels" (dict "root" $root "component" "schedules") | nindent 8 }}
      annotations:
        checksum/config: {{ include "clsp.schedules" $root | sha256sum }}
    spec:
      {{- $env := list }}
      {{- $volumes := list (dict "name" "schedules" "configMap" (dict "name" (printf "%s-schedules" $name))) }}
      {{- $mounts := list (dict "name" "schedules" "mountPath" "/etc/clsp-schedules" "readOnly" true) }}
      {{- with $root.Values.kfp.tokenAudience }}
      {{- $env = append $env (dict "name" "KF_PIPELINES_SA_TOKEN_PATH" "value" "/var/run/kfp/token") }}
      {{- $source := dict "serviceAccountToken" (dict "path" "token" "audience" . "expirationSeconds" 3600) }}
      {{- $volumes = append $volumes (dict "name" "kfp-token" "projected" (dict "sources" (list $source))) }}
      {{- $mounts = append $mounts (dict "name" "kfp-token" "mountPath" "/var/run/kfp" "readOnly" true) }}
      {{- end }}
      {{- include "clsp.commandPod" (dict "root" $root "role" "step" "component" "schedules" "account" (printf "%s-schedules" $name) "token" false "command" (list "clsp" "schedule" "apply" (printf "/etc/clsp-schedules/%s" .file)) "resources" $root.Values.schedules.resources "env" $env "volumes" $volumes "mounts" $mounts) | nindent 6 }}
{{- end -}}
