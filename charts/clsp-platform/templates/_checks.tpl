{{/* Contradictions, each with the sentence that mends it. Rendered once, from the platform ConfigMap. */}}
{{- define "clsp.checks" -}}
{{- include "clsp.checkStore" . -}}
{{- include "clsp.checkPools" . -}}
{{- include "clsp.checkSchedules" . -}}
{{- if and .Values.kfp.tokenAudience .Values.kfp.singleUser.namespace -}}
{{- fail "kfp.tokenAudience is for a KFP with several users and kfp.singleUser.namespace for one without: keep one of them" -}}
{{- end -}}
{{- if .Values.serving.model.uri -}}
{{- include "clsp.checkServing" . -}}
{{- include "clsp.checkAutoscaling" . -}}
{{- include "clsp.checkCanary" . -}}
{{- else if .Values.serving.canary.enabled -}}
{{- fail "serving.canary.enabled needs a stable model beside it: set serving.model.uri, for example clsp@latest" -}}
{{- end -}}
{{- if and .Values.kueue.createLocalQueue (not .Values.kueue.clusterQueue) -}}
{{- fail "kueue.createLocalQueue needs the ClusterQueue to draw from: set kueue.clusterQueue (kubectl get clusterqueues lists them)" -}}
{{- end -}}
{{- if and .Values.kueue.createLocalQueue (not .Values.kueue.queue) -}}
{{- fail "kueue.createLocalQueue needs a name for the queue: set kueue.queue" -}}
{{- end -}}
{{- end -}}

{{- define "clsp.checkStore" -}}
{{- $store := .Values.store -}}
{{- if and $store.bucket (not $store.secretName) (not $store.workloadIdentity.enabled) -}}
{{- fail "store.bucket has no credentials: set store.secretName to a Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or store.workloadIdentity.enabled" -}}
{{- end -}}
{{- if and $store.secretName $store.workloadIdentity.enabled -}}
{{- fail "store.secretName and store.workloadIdentity.enabled exclude each other: keep one of them" -}}
{{- end -}}
{{- if and $store.workloadIdentity.enabled (not $store.workloadIdentity.annotations) -}}
{{- fail "store.workloadIdentity.enabled needs the annotations that name the identity: set store.workloadIdentity.annotations, for example eks.amazonaws.com/role-arn" -}}
{{- end -}}
{{- if and $store.secretName .Release.IsInstall -}}
{{- $namespace := lookup "v1" "Namespace" "" .Release.Namespace -}}
{{- if and $namespace (not (lookup "v1" "Secret" .Release.Namespace $store.secretName)) -}}
{{- fail (printf "there is no Secret %q in namespace %q: kubectl -n %s create secret generic %s --from-literal=AWS_ACCESS_KEY_ID=… --from-literal=AWS_SECRET_ACCESS_KEY=…" $store.secretName .Release.Namespace .Release.Namespace $store.secretName) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "clsp.checkPools" -}}
{{- $names := keys .Values.pools | sortAlpha | join ", " -}}
{{- range $work, $pool := .Values.placement -}}
{{- if not (hasKey $.Values.pools $pool) -}}
{{- fail (printf "placement.%s names the pool %q, which pools does not have: choose one of %s, or add it to pools" $work $pool $names) -}}
{{- end -}}
{{- end -}}
{{- range $work := list "annotate" "verify" "train" -}}
{{- $pool := index $.Values.pools (index $.Values.placement $work) -}}
{{- if and $pool.gpuResource (lt (int $pool.gpusPerNode) 1) -}}
{{- fail (printf "pool %q has gpuResource %q but gpusPerNode 0: set pools.%s.gpusPerNode to the GPUs of one node" (index $.Values.placement $work) $pool.gpuResource (index $.Values.placement $work)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $pool := .Values.pools -}}
{{- if and $pool.queue (not $.Values.kueue.enabled) -}}
{{- fail (printf "pools.%s.queue is set but Kueue is off: set kueue.enabled, or leave the queue empty" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "clsp.checkSchedules" -}}
{{- $schedules := .Values.schedules -}}
{{- if and $schedules.enabled (not .Values.kfp.endpoint) -}}
{{- fail "schedules.enabled needs Kubeflow Pipelines: set kfp.endpoint, for example http://ml-pipeline.kubeflow.svc.cluster.local:8888" -}}
{{- end -}}
{{- if and $schedules.enabled (not .Values.store.bucket) -}}
{{- fail "schedules.enabled needs a store for what runs make: set store.bucket" -}}
{{- end -}}
{{- if and $schedules.entries (not $schedules.enabled) -}}
{{- fail "schedules.entries would be ignored: set schedules.enabled, or pause an entry with paused" -}}
{{- end -}}
{{- $seen := dict -}}
{{- range $schedules.entries -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "schedules.entries names %q twice: give every recurring run its own name" .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- end -}}

{{- define "clsp.checkServing" -}}
{{- $serving := .Values.serving -}}
{{- if and (not (contains "://" $serving.model.uri)) (not .Values.store.bucket) -}}
{{- fail (printf "serving.model.uri %q is a name in the release's store, and there is none: set store.bucket, or write the whole URI (s3://bucket/prefix/models/%s)" $serving.model.uri $serving.model.uri) -}}
{{- end -}}
{{- if lt (int $serving.terminationGracePeriodSeconds) (add (int $serving.drainSeconds) 15 | int) -}}
{{- fail (printf "serving.terminationGracePeriodSeconds (%d) leaves no time to finish requests after serving.drainSeconds (%d): make it %d or more" (int $serving.terminationGracePeriodSeconds) (int $serving.drainSeconds) (add (int $serving.drainSeconds) 15 | int)) -}}
{{- end -}}
{{- if not (or $serving.speech.enabled $serving.text.enabled) -}}
{{- fail "serving.model.uri is set but both endpoints are off: set serving.speech.enabled or serving.text.enabled, or leave the URI empty" -}}
{{- end -}}
{{- range $tower := list "speech" "text" -}}
{{- $endpoint := index $serving $tower -}}
{{- if gt (int $endpoint.minReplicas) (int $endpoint.maxReplicas) -}}
{{- fail (printf "serving.%s.minReplicas (%d) is over maxReplicas (%d): raise maxReplicas or lower minReplicas" $tower (int $endpoint.minReplicas) (int $endpoint.maxReplicas)) -}}
{{- end -}}
{{- if lt (int $endpoint.minReplicas) 1 -}}
{{- fail (printf "serving.%s.minReplicas is 0 and nothing would ever start a replica again, for the load that scales them is told by the replicas themselves: set minReplicas to 1, or serving.%s.enabled to false" $tower $tower) -}}
{{- end -}}
{{- if and $endpoint.enabled $serving.podDisruptionBudget.enabled (gt (int $serving.podDisruptionBudget.minAvailable) 0) (ge (int $serving.podDisruptionBudget.minAvailable) (int $endpoint.minReplicas)) -}}
{{- fail (printf "serving.podDisruptionBudget.minAvailable (%d) leaves serving.%s no replica to spare, so no node could be drained: keep it under minReplicas (%d)" (int $serving.podDisruptionBudget.minAvailable) $tower (int $endpoint.minReplicas)) -}}
{{- end -}}
{{- end -}}
{{- if and (not .Values.serving.kserve.version) (not (.Capabilities.APIVersions.Has "serving.kserve.io/v1beta1")) .Release.IsInstall (lookup "v1" "Namespace" "" .Release.Namespace) -}}
{{- fail "serving.model.uri needs KServe, and this cluster has no InferenceService: install KServe >= 0.17 (Standard mode), or leave serving.model.uri empty" -}}
{{- end -}}
{{- with $serving.kserve.version -}}
{{- if semverCompare "<0.17.0-0" . -}}
{{- fail (printf "KServe %s is too old for serving: upgrade it to 0.17 or later, or leave serving.model.uri empty" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "clsp.checkAutoscaling" -}}
{{- $scaling := .Values.serving.autoscaling -}}
{{- if and $scaling.hpa.enabled $scaling.keda.enabled -}}
{{- fail "serving.autoscaling.hpa and serving.autoscaling.keda would fight over the same replicas: enable one of them" -}}
{{- end -}}
{{- if and $scaling.keda.enabled (not $scaling.keda.prometheusUrl) -}}
{{- fail "serving.autoscaling.keda needs the Prometheus it asks: set serving.autoscaling.keda.prometheusUrl" -}}
{{- end -}}
{{- end -}}

{{- define "clsp.checkCanary" -}}
{{- $canary := .Values.serving.canary -}}
{{- if $canary.enabled -}}
{{- if not $canary.uri -}}
{{- fail "serving.canary.enabled needs the version to try: set serving.canary.uri, for example clsp/v3" -}}
{{- end -}}
{{- range $tower := list "speech" "text" -}}
{{- $endpoint := index $.Values.serving $tower -}}
{{- if and $endpoint.enabled (gt (int $canary.replicas) (int $endpoint.minReplicas)) -}}
{{- fail (printf "serving.canary.replicas (%d) is over serving.%s.minReplicas (%d), which KServe refuses: lower it or raise minReplicas" (int $canary.replicas) $tower (int $endpoint.minReplicas)) -}}
{{- end -}}
{{- end -}}
{{- $version := .Values.serving.kserve.version -}}
{{- if and $version (semverCompare "<0.20.0-0" $version) -}}
{{- fail (printf "serving.canary needs KServe >= 0.20 and this is %s, which would ignore it silently: upgrade KServe, or set serving.canary.enabled to false" $version) -}}
{{- end -}}
{{- if not $version -}}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "inferenceservices.serving.kserve.io" -}}
{{- if not $crd -}}
{{- fail "serving.canary needs KServe >= 0.20 and its version cannot be seen from here: set serving.kserve.version to the one you run" -}}
{{- end -}}
{{- $known := false -}}
{{- range $crd.spec.versions -}}
{{- if eq .name "v1beta1" -}}
{{- $known = hasKey .schema.openAPIV3Schema.properties.spec.properties "canary" -}}
{{- end -}}
{{- end -}}
{{- if not $known -}}
{{- fail "serving.canary needs KServe >= 0.20 and this cluster's is older, which would ignore it silently: upgrade KServe, or set serving.canary.enabled to false" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
