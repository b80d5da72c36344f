{{/* What the chart has to know of agentsmith.yml. Keys may be there without a value: that is as good as absent. */}}

{{/* Port that webhooks and callbacks come in on, by its name in the Service. */}}
{{- define "agentsmith.webhookPort" -}}
{{- ternary "webhooks" "http" (not (empty .Values.config.webhooks)) -}}
{{- end }}

{{/*
The setting `key` of the queue: of the old root section, of agent.queue, or of the agent section of a project, the later one
over the earlier. Empty when nobody sets it. Takes a list of the root context and the key.
*/}}
{{- define "agentsmith.queueSetting" -}}
{{- $config := (index . 0).Values.config -}}
{{- $key := index . 1 -}}
{{- $found := "" -}}
{{- $queues := list $config.queue ($config.agent).queue -}}
{{- range $project := $config.projects }}{{ $queues = append $queues (($project).agent).queue }}{{ end -}}
{{- range $queue := compact $queues -}}
  {{- if not (kindIs "invalid" (index $queue $key)) }}{{ $found = index $queue $key }}{{ end -}}
{{- end -}}
{{- $found -}}
{{- end }}

{{/* Seconds that a pod is given to end: 5 to turn webhooks away, the grace of running jobs, 25 to stop and hand back the rest. */}}
{{- define "agentsmith.terminationGracePeriodSeconds" -}}
{{- $grace := include "agentsmith.queueSetting" (list . "shutdown_grace_seconds") | default "30" -}}
{{- $own := .Values.terminationGracePeriodSeconds -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?$" $grace -}}
  {{- $least := add 5 (ceil (float64 $grace)) 25 -}}
  {{- if and (not (kindIs "invalid" $own)) (lt (int64 $own) $least) -}}
    {{- fail (printf "terminationGracePeriodSeconds: %v is too short for shutdown_grace_seconds: %s. At least %d are needed; leave it out, and they are computed" $own $grace $least) -}}
  {{- end -}}
  {{- kindIs "invalid" $own | ternary $least $own | int64 -}}
{{- else if kindIs "invalid" $own -}}
  {{- fail (printf "config.agent.queue.shutdown_grace_seconds is %s, which the chart cannot read: write a number, or set terminationGracePeriodSeconds to 30 more than it can be" $grace) -}}
{{- else -}}
  {{- int64 $own -}}
{{- end -}}
{{- end }}

{{/* Jobs that one replica runs at the same time. */}}
{{- define "agentsmith.maxParallelJobs" -}}
{{- include "agentsmith.queueSetting" (list . "max_parallel_jobs") | default "4" -}}
{{- end }}

{{/* Namespaces that Jobs of pipelines run in, with commas between; empty when no pipeline is a kubernetes_job. */}}
{{- define "agentsmith.jobNamespaces" -}}
{{- $namespaces := list -}}
{{- range $pipeline := .Values.config.pipelines -}}
  {{- with ($pipeline).kubernetes_job }}{{ $namespaces = append $namespaces (default $.Release.Namespace .namespace) }}{{ end -}}
{{- end -}}
{{- $namespaces | uniq | sortAlpha | join "," -}}
{{- end }}

{{/*
Sections that take effect at a restart only; a change of them rolls the pods. All other changes are read from the mounted file,
without one.
*/}}
{{- define "agentsmith.restartChecksum" -}}
{{- $config := .Values.config -}}
{{- $agents := dict -}}
{{- range $name, $project := $config.projects }}{{ $_ := set $agents $name ($project).agent }}{{ end -}}
{{- list $config.redis $config.webhooks $config.queue $config.agent $agents | toJson | sha256sum -}}
{{- end }}
