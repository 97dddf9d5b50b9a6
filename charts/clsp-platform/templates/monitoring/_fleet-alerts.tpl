{{- define "clsp.fleetAlerts" -}}
{{- $limits := .Values.monitoring.rules.thresholds -}}
{{- include "clsp.alert" (dict "root" . "name" "ClspGpuXid" "severity" "ticket" "for" "0m"
  "expr" "max by (Hostname, gpu) (DCGM_FI_DEV_XID_ERRORS) > 0\n  and max by (Hostname, gpu) (changes(DCGM_FI_DEV_XID_ERRORS[30m])) > 0"
  "summary" "GPU {{ $labels.gpu }} of {{ $labels.Hostname }} reported Xid {{ $value }}"
  "runbook" "Xid 48, 63, 64, 74, 79, 94 and 95 mean hardware: drain the node. Others come from the program; its pod restarts and goes on.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspGpuRowRemapFailed" "severity" "page" "for" "1m"
  "expr" "max by (Hostname, gpu) (DCGM_FI_DEV_ROW_REMAP_FAILURE) > 0"
  "summary" "GPU {{ $labels.gpu }} of {{ $labels.Hostname }} can no longer replace broken memory rows"
  "runbook" "Drain the node and have the GPU replaced; work goes on elsewhere.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspStoreNearlyFull" "severity" "ticket" "for" "15m"
  "expr" (printf "1 - sum(minio_cluster_capacity_usable_free_bytes) / sum(minio_cluster_capacity_usable_total_bytes) > %v" $limits.storeFullShare)
  "summary" "The object store is {{ $value | humanizePercentage }} full"
  "runbook" "Delete runs that nobody needs, or add drives. A full store fails every step loudly and loses nothing.") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspStoreErrors" "severity" "ticket" "for" "10m"
  "expr" "sum(rate(minio_s3_requests_5xx_errors_total[10m])) / sum(rate(minio_s3_requests_total[10m])) > 0.01"
  "summary" "The object store fails {{ $value | humanizePercentage }} of its requests"
  "runbook" "Steps retry for a while and then fail with StorageError. Look at the store's own log and its drives.") }}
{{- if .Values.kueue.enabled }}
{{- $queue := ternary (printf `,cluster_queue="%s"` .Values.kueue.clusterQueue) "" (ne .Values.kueue.clusterQueue "") }}
{{- include "clsp.alert" (dict "root" . "name" "ClspAdmissionSlow" "severity" "ticket" "for" (printf "%vm" $limits.admissionMinutes)
  "expr" (printf `sum by (cluster_queue) (kueue_pending_workloads{status="active"%s}) > 0
  and sum by (cluster_queue) (increase(kueue_admitted_workloads_total{cluster_queue!=""%s}[%vm])) == 0` $queue $queue $limits.admissionMinutes)
  "summary" "{{ $value }} workloads wait in {{ $labels.cluster_queue }} and none has been admitted"
  "runbook" "kubectl describe workload says which quota is short: raise it, lower the pods' sizes, or wait for what is running.") }}
{{- end }}
{{- end -}}
