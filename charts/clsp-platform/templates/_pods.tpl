{{/* What pods of the platform share: they satisfy the Pod Security Standard "restricted". */}}

{{- define "clsp.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "clsp.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "clsp.pullSecrets" -}}
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where the object store of runs is; empty for AWS's own, which a key AWS_ENDPOINT_URL of the Secret then replaces. */}}
{{- define "clsp.storePlace" -}}
{{- if .Values.store.bucket }}
{{- if ne .Values.store.endpoint "https://s3.amazonaws.com" }}
AWS_ENDPOINT_URL: {{ .Values.store.endpoint | quote }}
{{- end }}
{{- if ne .Values.store.region "us-east-1" }}
AWS_REGION: {{ .Values.store.region | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where the object store is, and who we are there. */}}
{{- define "clsp.storeEnv" -}}
{{- if .Values.store.bucket }}
- name: AWS_ENDPOINT_URL
  value: {{ .Values.store.endpoint | quote }}
- name: AWS_REGION
  value: {{ .Values.store.region | quote }}
- name: CLSP_STORE
  value: {{ include "clsp.storeUri" . | quote }}
{{- with .Values.store.secretName }}
{{- range $key, $optional := dict "AWS_ACCESS_KEY_ID" false "AWS_SECRET_ACCESS_KEY" false "AWS_SESSION_TOKEN" true }}
- name: {{ $key }}
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.store.secretName }}
      key: {{ $key }}
      {{- if $optional }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Environment that any process of ours wants on a read-only root. */}}
{{- define "clsp.processEnv" -}}
- name: CLSP_LOG_FORMAT
  value: json
- name: HOME
  value: /tmp
- name: TMPDIR
  value: /tmp
{{- end -}}

{{/* Where pods of a pool may run: dict root pool. */}}
{{- define "clsp.poolPlacement" -}}
{{- $pool := index .root.Values.pools .pool -}}
{{- with $pool.nodeLabels }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            {{- range $label, $accepted := . }}
            - key: {{ $label }}
              operator: In
              values: {{ toJson $accepted }}
            {{- end }}
{{- end }}
{{- with $pool.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A pod that runs one command: dict root role component account token command resources, optionally env volumes mounts ports restart. */}}
{{- define "clsp.commandPod" -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: {{ .token }}
restartPolicy: {{ default "Never" .restart }}
terminationGracePeriodSeconds: 30
enableServiceLinks: false
{{- include "clsp.pullSecrets" .root }}
{{- with .root.Values.priorityClasses.steps }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "clsp.podSecurity" .root | nindent 2 }}
{{- include "clsp.poolPlacement" (dict "root" .root "pool" .root.Values.placement.steps) }}
containers:
  - name: {{ .component }}
    image: {{ include "clsp.image" (dict "root" .root "role" .role) }}
    imagePullPolicy: {{ .root.Values.images.pullPolicy }}
    command: {{ toJson .command }}
    {{- with .ports }}
    ports:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    env:
      {{- include "clsp.processEnv" .root | nindent 6 }}
      {{- include "clsp.storeEnv" .root | trim | nindent 6 }}
      - name: CLSP_CONFIG
        value: /etc/clsp/clsp.yaml
      - name: CLSP_PLATFORM
        value: /etc/clsp/platform.yaml
      {{- with .env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    resources:
      {{- toYaml .resources | nindent 6 }}
    securityContext:
      {{- include "clsp.containerSecurity" .root | nindent 6 }}
    volumeMounts:
      - name: tmp
        mountPath: /tmp
      - name: platform
        mountPath: /etc/clsp
        readOnly: true
      {{- with .mounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
  - name: platform
    configMap:
      name: {{ include "clsp.fullname" .root }}-platform
  {{- with .volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
