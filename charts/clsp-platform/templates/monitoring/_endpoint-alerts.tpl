{{/* Share of requests that failed by the server's fault, over the windows of the burn-rate alerts. */}}
{{- define "clsp.errorRatios" -}}
{{- $series := include "clsp.endpointSeries" . -}}
{{- range $window := list "5m" "30m" "1h" "6h" }}
- record: clsp:serving_errors:ratio_rate{{ $window }}
  expr: |-
    sum by (namespace, owner, tower) (rate(clsp_serving_requests_total{ {{- $series }},outcome=~"error|internal"}[{{ $window }}]))
      / sum by (namespace, owner, tower) (rate(clsp_serving_requests_total{ {{- $series }}}[{{ $window }}]))
{{- end }}
{{- end -}}

{{/* What a GPU hour of each kind of work costs, for the board of the fleet. */}}
{{- define "clsp.prices" -}}
{{- range $work := list "annotate" "verify" "train" "serve" }}
{{- with (index $.Values.pools (index $.Values.placement $work)).gpuHourPrice }}
- record: clsp:gpu_hour_price
  expr: vector({{ . }})
  labels:
    namespace: {{ $.Release.Namespace }}
    work: {{ $work }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "clsp.endpointAlerts" -}}
{{- $root := . -}}
{{- $series := include "clsp.endpointSeries" . -}}
{{- $limits := .Values.monitoring.rules.thresholds -}}
{{- range $tower := list "speech" "text" }}
{{- if and $root.Values.serving.model.uri (index $root.Values.serving $tower).enabled }}
{{- include "clsp.alert" (dict "root" $root "name" (printf "Clsp%sEndpointDown" (title $tower)) "severity" "page" "for" "5m"
  "expr" (printf `absent(up{%s,owner="%s",tower="%s"} == 1)` $series $root.Release.Name $tower)
  "summary" (printf "No replica of the %s endpoint answers" $tower)
  "runbook" (printf "kubectl -n %s describe inferenceservice %s-%s says which condition is false; a pod that restarts says why in its last log. Roll back with helm rollback if an upgrade came before." $root.Release.Namespace (include "clsp.fullname" $root) $tower)) }}
{{- end }}
{{- end }}
{{- $ratio := "clsp:serving_errors:ratio_rate" }}
{{- $own := printf `{namespace="%s"}` .Release.Namespace }}
{{- include "clsp.alert" (dict "root" . "name" "ClspErrorBudgetBurnsFast" "severity" "page" "for" "2m"
  "expr" (printf "%s1h%s > %v * %v\n  and %s5m%s > %v * %v" $ratio $own $limits.fastBurn $limits.errorBudget $ratio $own $limits.fastBurn $limits.errorBudget)
  "summary" "The {{ $labels.owner }}-{{ $labels.tower }} endpoint fails {{ $value | humanizePercentage }} of its requests"
  "runbook" "Look for forward_failed and request_failed in the log of the endpoint's pods. If a new version came before, put the old one back in serving.model.uri; if one pod alone fails, delete it.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspErrorBudgetBurnsSlowly" "severity" "ticket" "for" "15m"
  "expr" (printf "%s6h%s > %v * %v\n  and %s30m%s > %v * %v" $ratio $own $limits.slowBurn $limits.errorBudget $ratio $own $limits.slowBurn $limits.errorBudget)
  "summary" "The {{ $labels.owner }}-{{ $labels.tower }} endpoint has failed {{ $value | humanizePercentage }} of its requests for hours"
  "runbook" "The board CLSP / Serving shows errors by outcome; the log of the pods names each failure once. Mend it within the week, before the budget is spent.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspQueueLong" "severity" "ticket" "for" "5m"
  "expr" (printf "avg by (namespace, owner, tower) (clsp_serving_queued_audio_seconds{%s}) > %v" $series $limits.queuedAudioSeconds)
  "summary" "{{ $value | humanize }} s of audio wait before each replica of the {{ $labels.owner }}-{{ $labels.tower }} endpoint"
  "runbook" "Raise serving.speech.maxReplicas, or enable serving.autoscaling.keda; if replicas are at their maximum and their device is idle, look at decoding on the board CLSP / Serving.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspItemsRefused" "severity" "ticket" "for" "10m"
  "expr" (printf "sum by (namespace, owner, tower) (rate(clsp_serving_rejected_items_total{%s}[10m]))\n  / (sum by (namespace, owner, tower) (rate(clsp_serving_items_total{%s}[10m])) + sum by (namespace, owner, tower) (rate(clsp_serving_rejected_items_total{%s}[10m]))) > %v" $series $series $series $limits.rejectedShare)
  "summary" "The {{ $labels.owner }}-{{ $labels.tower }} endpoint refuses {{ $value | humanizePercentage }} of its items with 429"
  "runbook" "Callers see Retry-After and come back; if it lasts, add replicas (serving.speech.maxReplicas) or let clients send less at once.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspForwardSlow" "severity" "ticket" "for" "10m"
  "expr" (printf "histogram_quantile(0.95, sum by (namespace, owner, tower, le) (rate(clsp_serving_forward_seconds_bucket{%s}[10m]))) > %v" $series $limits.forwardSeconds)
  "summary" "95 % of batches of the {{ $labels.owner }}-{{ $labels.tower }} endpoint take up to {{ $value | humanizeDuration }}"
  "runbook" "Compare with the replica's CPU limit (throttling) or GPU clock; lower serving.settings.batch_seconds if single requests must be faster than the whole.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspDecodeSlow" "severity" "ticket" "for" "10m"
  "expr" (printf "histogram_quantile(0.95, sum by (namespace, owner, tower, le) (rate(clsp_serving_decode_seconds_bucket{%s}[10m]))) > %v" $series $limits.decodeSeconds)
  "summary" "Decoding one sound takes up to {{ $value | humanizeDuration }} on the {{ $labels.owner }}-{{ $labels.tower }} endpoint"
  "runbook" "Decoding shares the CPU with the model: raise the CPU request, or serving.settings.decode_workers when cores are idle.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspBatchesPadded" "severity" "ticket" "for" "1h"
  "expr" (printf "sum by (namespace, owner, tower) (rate(clsp_serving_batch_fill_ratio_sum{%s}[1h]))\n  / sum by (namespace, owner, tower) (rate(clsp_serving_batch_fill_ratio_count{%s}[1h])) < %v" $series $series $limits.batchFill)
  "summary" "Only {{ $value | humanizePercentage }} of each batch of the {{ $labels.owner }}-{{ $labels.tower }} endpoint is sound or text, the rest padding"
  "runbook" "Long and short inputs are mixed: lower serving.settings.batch_seconds (or batch_tokens), or send inputs of like length together.") }}
{{- $mean := printf "clsp_serving_embedding_mean_norm{%s}" $series }}
{{- include "clsp.alert" (dict "root" . "name" "ClspEmbeddingsDrift" "severity" "ticket" "for" "15m"
  "expr" (printf "abs(avg by (namespace, owner, tower, kind) (avg_over_time(%s[1h]))\n  - avg by (namespace, owner, tower, kind) (avg_over_time(%s[1d] offset 1h))) > %v" $mean $mean $limits.embeddingDrift)
  "summary" "The {{ $labels.kind }} vectors of the {{ $labels.owner }}-{{ $labels.tower }} endpoint differ from yesterday's: their mean is {{ $value | humanize }} longer or shorter"
  "runbook" "Callers send something else (silence, one sentence again and again, another language), or a new model took over: compare clsp_serving_model_info, and a known clip's vector with clsp embed. Indexes built before may no longer match.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspVersionsDiffer" "severity" "ticket" "for" "30m"
  "expr" (printf `count by (namespace, owner) (count by (namespace, owner, sha256) (clsp_serving_model_info{%s,pod!~".*-canary-predictor-.*"})) > 1` $series)
  "summary" "The endpoints of {{ $labels.owner }} in {{ $labels.namespace }} serve {{ $value }} different models, whose vectors cannot be compared"
  "runbook" "A roll-out is stuck, or somebody changed one InferenceService by hand: kubectl get inferenceservices, then helm upgrade with one serving.model.uri.") }}
{{- if .Values.serving.canary.enabled }}
{{- $canary := `pod=~".*-canary-predictor-.*"` }}
{{- $stable := `pod!~".*-canary-predictor-.*"` }}
{{- $failed := `outcome=~"error|internal"` }}
{{- $rate := printf `(sum by (namespace, owner, tower) (rate(clsp_serving_requests_total{%s,%%s,%s}[10m])) / sum by (namespace, owner, tower) (rate(clsp_serving_requests_total{%s,%%s}[10m])))` $series $failed $series }}
{{- include "clsp.alert" (dict "root" . "name" "ClspCanaryFails" "severity" "page" "for" "5m"
  "expr" (printf "%s\n  > 2 * (%s or %s * 0)\n  and %s > %v" (printf $rate $canary $canary) (printf $rate $stable $stable) (printf $rate $canary $canary) (printf $rate $canary $canary) $limits.errorBudget)
  "summary" "The canary of the {{ $labels.owner }}-{{ $labels.tower }} endpoint fails {{ $value | humanizePercentage }} of its requests, over twice the stable version's share"
  "runbook" "Take it out: helm upgrade --reuse-values --set serving.canary.enabled=false. Its pods' log says what failed.") }}
{{- end }}
{{- end -}}
