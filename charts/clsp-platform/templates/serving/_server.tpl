{{/* The server of one tower: what its ServingRuntime and its InferenceService are made of. */}}

{{/* JSON of the server's settings: both towers' values, the tower's own, and what the chart decides. */}}
{{- define "clsp.serverSettings" -}}
{{- $serving := .root.Values.serving -}}
{{- $own := (index $serving .tower).settings -}}
{{- $fixed := dict "name" (printf "clsp-%s" .tower) "host" "0.0.0.0" "port" 8080 "grpc_port" 8081 "drain_seconds" (int $serving.drainSeconds) "grace_seconds" (sub (sub (int $serving.terminationGracePeriodSeconds) (int $serving.drainSeconds)) 10) -}}
{{- if $serving.apiKeysSecretName -}}
{{- $_ := set $fixed "api_keys_file" "/etc/clsp-api-keys/keys" -}}
{{- end -}}
{{- $fixed = ternary (omit $fixed "name") $fixed (or (hasKey $own "name") (hasKey $serving.settings "name")) -}}
{{- toJson (merge (dict) $fixed $own $serving.settings) -}}
{{- end -}}

{{/* Probes: started once the model is loaded and warm, ready while it takes requests, alive while it answers. */}}
{{- define "clsp.serverProbes" -}}
startupProbe:
  httpGet: {path: /v2/health/ready, port: 8080}
  periodSeconds: {{ .Values.serving.startup.periodSeconds }}
  failureThreshold: {{ .Values.serving.startup.failureThreshold }}
  timeoutSeconds: 2
readinessProbe:
  httpGet: {path: /v2/health/ready, port: 8080}
  periodSeconds: 5
  failureThreshold: 2
  timeoutSeconds: 2
livenessProbe:
  httpGet: {path: /v2/health/live, port: 8080}
  periodSeconds: 10
  failureThreshold: 6
  timeoutSeconds: 5
{{- end -}}

{{/* The server's container, the same for both towers. */}}
{{- define "clsp.server" -}}
image: {{ include "clsp.image" (dict "root" . "role" "embedder") }}
imagePullPolicy: {{ .Values.images.pullPolicy }}
command: [python, -m, serving]
ports:
  - name: http
    containerPort: 8080
    protocol: TCP
  - name: grpc
    containerPort: 8081
    protocol: TCP
env:
  {{- include "clsp.processEnv" . | nindent 2 }}
  {{- include "clsp.storeEnv" . | trim | nindent 2 }}
{{ include "clsp.serverProbes" . }}
securityContext:
  {{- include "clsp.containerSecurity" . | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- if .Values.serving.apiKeysSecretName }}
  - name: keys
    mountPath: /etc/clsp-api-keys
    readOnly: true
  {{- end }}
{{- end -}}

{{/* The predictor of one version: dict root tower uri, and canary for the second version. */}}
{{- define "clsp.predictor" -}}
{{- $root := .root -}}
{{- $serving := $root.Values.serving -}}
serviceAccountName: {{ include "clsp.fullname" $root }}-serving
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $serving.terminationGracePeriodSeconds }}
{{- include "clsp.pullSecrets" $root }}
{{- with $root.Values.priorityClasses.serving }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  {{- include "clsp.podSecurity" $root | nindent 2 }}
{{- include "clsp.poolPlacement" (dict "root" $root "pool" $root.Values.placement.serve) }}
{{- if $serving.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range $serving.topologySpread.topologyKeys }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $serving.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "clsp.selector" (dict "root" $root "component" $.tower) | nindent 8 }}
  {{- end }}
{{- end }}
labels:
  {{- include "clsp.podLabels" (dict "root" $root "component" .tower) | nindent 2 }}
annotations:
  checksum/config: {{ printf "%s%s" (include "clsp.serverSettings" .) (include "clsp.server" $root) | sha256sum }}
model:
  {{- /* KServe's CRD wants a name here for a canary, and its webhook refuses one for the stable version. */}}
  {{- if .canary }}
  name: kserve-container
  {{- end }}
  modelFormat:
    {{- /* The one format whose server KServe lets fetch its own model; any other gets a multi-model agent beside it. */}}
    name: huggingface
  runtime: {{ include "clsp.fullname" $root }}-embedder
  protocolVersion: v2
  args:
    - {{ include "clsp.modelUri" . | quote }}
    - --settings
    - {{ include "clsp.serverSettings" . | quote }}
  resources:
    {{- toYaml (index $serving .tower).resources | nindent 4 }}
{{- end -}}

{{/* How the replicas of a tower follow its load. */}}
{{- define "clsp.autoscaling" -}}
{{- $scaling := .root.Values.serving.autoscaling -}}
{{- $endpoint := index .root.Values.serving .tower -}}
minReplicas: {{ $endpoint.minReplicas }}
maxReplicas: {{ ternary $endpoint.maxReplicas $endpoint.minReplicas (or $scaling.hpa.enabled $scaling.keda.enabled) }}
{{- if $scaling.hpa.enabled }}
scaleMetric: cpu
scaleTarget: {{ $scaling.hpa.cpuPercent }}
{{- else if $scaling.keda.enabled }}
autoScaling:
  metrics:
    - type: External
      external:
        metric:
          backend: prometheus
          serverAddress: {{ $scaling.keda.prometheusUrl | quote }}
          query: {{ include "clsp.scaleQuery" . | quote }}
        target:
          type: Value
          value: {{ ternary $scaling.keda.queuedAudioSeconds $scaling.keda.textsPerSecond (eq .tower "speech") | quote }}
  behavior:
    scaleDown:
      stabilizationWindowSeconds: {{ $scaling.keda.scaleDownSeconds }}
{{- end }}
{{- end -}}

{{- define "clsp.scaleQuery" -}}
{{- $pods := printf `namespace=%q,pod=~"%s-%s-.+"` .root.Release.Namespace (include "clsp.fullname" .root) .tower -}}
{{- if eq .tower "speech" -}}
sum(clsp_serving_queued_audio_seconds{ {{- $pods -}} })
{{- else -}}
sum(rate(clsp_serving_items_total{ {{- $pods -}} ,kind="text"}[1m]))
{{- end -}}
{{- end -}}
