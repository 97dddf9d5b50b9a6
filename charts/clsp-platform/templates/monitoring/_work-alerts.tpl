{{- define "clsp.workAlerts" -}}
{{- $pods := include "clsp.podSeries" . -}}
{{- $limits := .Values.monitoring.rules.thresholds -}}
{{- include "clsp.alert" (dict "root" . "name" "ClspJobFailed" "severity" "ticket" "for" "1m"
  "expr" (printf `kube_job_failed{namespace="%s",job_name=~"(%s|clsp)-.+",condition="true"} == 1` .Release.Namespace (include "clsp.fullname" .))
  "summary" "Job {{ $labels.job_name }} has failed"
  "runbook" "kubectl logs job/NAME ends with the reason and a hint. Mend it and submit the same run again: finished work is reused, the rest goes on from its ledger.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspPodPending" "severity" "ticket" "for" (printf "%vm" $limits.pendingMinutes)
  "expr" (printf `max by (namespace, pod) (kube_pod_status_phase{%s,phase="Pending"}) == 1` $pods)
  "summary" "Pod {{ $labels.pod }} has waited for a node or an image too long"
  "runbook" "kubectl describe pod says what is missing: GPUs of the pool (pools, placement), an image, a quota; clsp doctor checks each of them.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspContainerRestarts" "severity" "ticket" "for" "5m"
  "expr" (printf `increase(kube_pod_container_status_restarts_total{%s}[1h]) > %v` $pods $limits.restarts)
  "summary" "Container {{ $labels.container }} of {{ $labels.pod }} has restarted {{ $value | humanize }} times in an hour"
  "runbook" "kubectl logs --previous says why it ended.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspOutOfMemory" "severity" "ticket" "for" "0m"
  "expr" (printf `kube_pod_container_status_last_terminated_reason{%s,reason="OOMKilled"} == 1
  and on (namespace, pod, container) increase(kube_pod_container_status_restarts_total{%s}[30m]) > 0` $pods $pods)
  "summary" "Container {{ $labels.container }} of {{ $labels.pod }} was killed for memory"
  "runbook" "Raise its memory limit, or make its work smaller: batch_seconds of serving, segments_per_unit of annotation, loader.cache_mib of training.") }}
{{- if .Values.schedules.enabled }}
{{- range .Values.schedules.entries }}
{{- if .alertHours }}
{{- $newest := printf `clsp_schedule_newest_run_timestamp_seconds{%s,schedule="%s"}` $pods .name }}
{{- include "clsp.alert" (dict "root" $ "name" "ClspScheduleMissed" "severity" "ticket" "for" "10m"
  "expr" (printf "time() - max by (namespace, schedule) (last_over_time(%s[1d])) > %v * 3600" $newest .alertHours)
  "summary" "Recurring run {{ $labels.schedule }} has had no run for {{ $value | humanizeDuration }}"
  "runbook" "clsp schedule list says whether it is paused; then look at the log of KFP's ml-pipeline-scheduledworkflow, and at clsp runs list for runs that were refused.") }}
{{- end }}
{{- end }}
{{- end }}
{{- include "clsp.alert" (dict "root" . "name" "ClspCheckpointOld" "severity" "page" "for" "5m"
  "expr" (printf `time() - max by (namespace, step) (clsp_step_checkpoint_timestamp_seconds{%s}) > %v * 60` $pods $limits.checkpointMinutes)
  "summary" "The newest checkpoint of {{ $labels.step }} is {{ $value | humanizeDuration }} old"
  "runbook" "All work since then is lost if a pod dies. The log of the leading worker says checkpoint_saved, or why not; if its steps stand still, delete that pod and the others go on. If each step is slow, lower train.checkpoint.every.") }}
{{- $world := printf `clsp_step_fact{%s,fact="world"}` $pods }}
{{- /* Runs are told apart by their pods' names: one that has ended says nothing about the next, smaller one. */}}
{{- $run := `"run", "$1", "pod", "(.+)-(?:worker|node)-[0-9].*"` }}
{{- include "clsp.alert" (dict "root" . "name" "ClspTrainingShrunk" "severity" "ticket" "for" "10m"
  "expr" (printf "max by (namespace, step, run) (label_replace(%s, %s))\n  < max by (namespace, step, run) (label_replace(max_over_time(%s[1h]), %s))" $world $run $world $run)
  "summary" "{{ $labels.step }} goes on with {{ $value }} processes, fewer than an hour ago"
  "runbook" "A node was lost or taken, and training is slower until another joins: kubectl get pods says which worker is missing and why. With fewer nodes for good, lower cluster.train.max_nodes.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspEngineStalled" "severity" "page" "for" "30m"
  "expr" (printf `sum by (namespace, pod) (vllm:num_requests_running{namespace="%s"}) > 0
  and sum by (namespace, pod) (rate(vllm:generation_tokens_total{namespace="%s"}[10m])) == 0` .Release.Namespace .Release.Namespace)
  "summary" "The engine in {{ $labels.pod }} holds requests and writes nothing"
  "runbook" "Delete the pod: its unit of work goes to another worker and nothing is lost. If it comes back, look for NCCL or CUDA errors in the engine's log.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspEngineSaturated" "severity" "ticket" "for" "30m"
  "expr" (printf `avg by (namespace, pod) (vllm:kv_cache_usage_perc{namespace="%s"}) > 0.95
  and sum by (namespace, pod) (vllm:num_requests_waiting{namespace="%s"}) > 0` .Release.Namespace .Release.Namespace)
  "summary" "The engine in {{ $labels.pod }} has no memory left for further requests"
  "runbook" "Throughput falls when requests are preempted: lower annotate.captioner.concurrency, or give the engine more memory (--gpu-memory-utilization).") }}
{{- end -}}
