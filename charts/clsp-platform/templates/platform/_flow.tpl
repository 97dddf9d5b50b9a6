{{/* The configuration of runs: where work goes, in the words of clsp/config, under what flow.settings says. */}}
{{- define "clsp.flowSettings" -}}
{{- $pools := dict -}}
{{- range $name, $pool := .Values.pools -}}
{{- $queue := ternary (default $.Values.kueue.queue $pool.queue) "" (and $.Values.kueue.enabled (ne $pool.gpuResource "")) -}}
{{- $_ := set $pools $name (dict "node_labels" $pool.nodeLabels "tolerations" $pool.tolerations "gpu_resource" $pool.gpuResource "queue" $queue "priority_class" $.Values.priorityClasses.steps) -}}
{{- end -}}
{{- $images := dict "pull_policy" .Values.images.pullPolicy "pull_secrets" .Values.images.pullSecrets -}}
{{- range $role := list "step" "trainer" "embedder" -}}
{{- $_ := set $images $role (include "clsp.image" (dict "root" $ "role" $role)) -}}
{{- end -}}
{{- $cluster := dict "enabled" true "namespace" .Release.Namespace "release" (include "clsp.runsName" .) "pools" $pools "images" $images -}}
{{- $_ := set $cluster "owner" (printf "%s-platform" (include "clsp.fullname" .)) -}}
{{- $_ := set $cluster "environment" (include "clsp.storePlace" . | fromYaml) -}}
{{- $_ := set $cluster "service_account" (printf "%s-trainer" (include "clsp.fullname" .)) -}}
{{- $_ := set $cluster "store_secret" .Values.store.secretName -}}
{{- $_ := set $cluster "api_keys_secret" .Values.serving.apiKeysSecretName -}}
{{- range $work := list "annotate" "verify" "train" "serve" -}}
{{- $_ := set $cluster $work (dict "pool" (index $.Values.placement $work)) -}}
{{- end -}}
{{- $kfp := dict "url" .Values.kfp.endpoint "service_account" (include "clsp.stepsAccount" .) -}}
{{- with .Values.kfp.singleUser.namespace -}}
{{- $_ := set $kfp "steps_namespace" . -}}
{{- end -}}
{{- if .Values.kfp.tokenAudience -}}
{{- $_ := set $kfp "namespace" .Release.Namespace -}}
{{- end -}}
{{- toYaml (mergeOverwrite (dict "cluster" $cluster "kfp" $kfp) (deepCopy .Values.flow.settings)) -}}
{{- end -}}
