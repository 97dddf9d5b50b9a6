{{/* The recurring runs as `clsp schedule apply` reads them. */}}
{{- define "clsp.schedules" -}}
owner: {{ .Release.Namespace }}/{{ include "clsp.fullname" . }}
schedules: {{ toJson .Values.schedules.entries }}
{{- end -}}

{{/* How a pod presents a token to KFP, where KFP asks for one: env, volumes and mounts. */}}
{{- define "clsp.kfpToken" -}}
{{- if .Values.kfp.tokenAudience -}}
env: [{name: KF_PIPELINES_SA_TOKEN_PATH, value: /var/run/kfp/token}]
volumes:
  - name: kfp-token
    projected:
      sources: [{serviceAccountToken: {path: token, audience: {{ .Values.kfp.tokenAudience | quote }}, expirationSeconds: 3600}}]
mounts: [{name: kfp-token, mountPath: /var/run/kfp, readOnly: true}]
{{- else -}}
{env: [], volumes: [], mounts: []}
{{- end -}}
{{- end -}}

{{/* Whether any recurring run shall be missed when it does not come. */}}
{{- define "clsp.watchesSchedules" -}}
{{- range .Values.schedules.entries }}{{ if .alertHours }}yes{{ end }}{{ end -}}
{{- end -}}

{{/*
A hook Job that brings recurring runs to what one file of the ConfigMap says: dict root when file, policy of deletion.
All have one name: one that failed, and is left for its reason to be read, makes room for the next, the last one too.
*/}}
{{- define "clsp.scheduleJob" -}}
{{- $root := .root -}}
{{- $name := include "clsp.fullname" $root -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "clsp.metadata" (dict "root" $root "component" "schedules" "name" (printf "%s-schedules" $name) "annotations" (dict "helm.sh/hook" .when "helm.sh/hook-weight" "5" "helm.sh/hook-delete-policy" .policy "helm.sh/hook-output-log-policy" "hook-failed")) | nindent 2 }}
spec:
  backoffLimit: {{ $root.Values.schedules.backoffLimit }}
  activeDeadlineSeconds: {{ $root.Values.schedules.deadlineSeconds }}
  ttlSecondsAfterFinished: 86400 # where hooks were left out at the end (helm uninstall --no-hooks)
  template:
    metadata:
      labels:
        {{- include "clsp.podLabels" (dict "root" $root "component" "schedules") | nindent 8 }}
      annotations:
        checksum/config: {{ include "clsp.schedules" $root | sha256sum }}
    spec:
      {{- $token := include "clsp.kfpToken" $root | fromYaml }}
      {{- $volumes := prepend $token.volumes (dict "name" "schedules" "configMap" (dict "name" (printf "%s-schedules" $name))) }}
      {{- $mounts := prepend $token.mounts (dict "name" "schedules" "mountPath" "/etc/clsp-schedules" "readOnly" true) }}
      {{- include "clsp.commandPod" (dict "root" $root "role" "step" "component" "schedules" "account" (printf "%s-schedules" $name) "token" false "command" (list "clsp" "schedule" "apply" (printf "/etc/clsp-schedules/%s" .file)) "resources" $root.Values.schedules.resources "env" $token.env "volumes" $volumes "mounts" $mounts) | nindent 6 }}
{{- end -}}
