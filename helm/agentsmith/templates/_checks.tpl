{{/*
Mistakes that the schema cannot see, each with what to do. Nothing secret may stand in values: Helm keeps them, and the
ConfigMap shows them to everybody who may read the namespace.
*/}}
{{- define "agentsmith.checks" -}}
{{- $values := .Values -}}
{{- $secretName := "(?i)TOKEN|SECRET|PASSWORD|PASSWD|PRIVATE|CREDENTIAL|AUTHORIZATION|API[_-]?KEY|ACCESS[_-]?KEY|(?:^|[_-])PAT$" -}}
{{- $passwordUrl := "^[A-Za-z][A-Za-z0-9+.-]*://[^/@]*:[^/@]*@" -}}

{{- $byChart := dict "AGENTSMITH_CONFIG" "config" "PORT" "service" "LOG_LEVEL" "logLevel" -}}
{{- if or $values.ca.configMap $values.ca.secret }}{{ $_ := set $byChart "NODE_EXTRA_CA_CERTS" "ca" }}{{ end -}}
{{- if $values.proxy.url }}{{ range tuple "HTTPS_PROXY" "HTTP_PROXY" }}{{ $_ := set $byChart . "proxy.url" }}{{ end }}{{ end -}}
{{- if $values.trialRedis.enabled }}{{ $_ := set $byChart "REDIS_URL" "trialRedis" }}{{ end -}}
{{- range $section := tuple "env" "secretEnv" -}}
  {{- range $name, $_ := index $values $section -}}
    {{- if hasKey $byChart $name }}{{ fail (printf "%s.%s is set by the chart: see %s" $section $name (get $byChart $name)) }}{{ end -}}
    {{- if and (eq $section "env") (hasKey $values.secretEnv $name) }}{{ fail (printf "%s is in env and in secretEnv: leave one out" $name) }}{{ end -}}
  {{- end -}}
{{- end -}}
{{- range $name, $value := $values.env -}}
  {{- if or (regexMatch $secretName $name) (regexMatch $passwordUrl (toString $value)) -}}
    {{- fail (printf "env.%s is a secret, and values are not kept secret: put it into a Secret, and set secretEnv.%s: {secret: NAME, key: KEY}" $name $name) -}}
  {{- end -}}
{{- end -}}
{{- if regexMatch $passwordUrl $values.proxy.url -}}
  {{- fail "proxy.url holds a password: put the URL into a Secret, and set secretEnv.HTTPS_PROXY and secretEnv.HTTP_PROXY" -}}
{{- end -}}
{{- if and $values.ca.configMap $values.ca.secret }}{{ fail "ca: either configMap or secret, not both" }}{{ end -}}

{{- range $name, $project := $values.config.projects -}}
  {{- $at := printf "config.projects.%s" $name -}}
  {{- $tickets := default dict ($project).tickets -}}
  {{- if kindIs "map" $tickets.auth -}}
    {{- range $key := tuple "token" "client_secret" -}}
      {{- include "agentsmith.byReference" (list (printf "%s.tickets.auth.%s" $at $key) (get $tickets.auth $key)) -}}
    {{- end -}}
  {{- end -}}
  {{- with ($project).webhook -}}
    {{- include "agentsmith.byReference" (list (printf "%s.webhook.secret" $at) .secret) -}}
    {{- range $index, $secret := .secrets -}}
      {{- include "agentsmith.byReference" (list (printf "%s.webhook.secrets[%d]" $at $index) $secret) -}}
    {{- end -}}
  {{- end -}}
  {{- range $key, $trigger := $project -}}
    {{- if and (hasSuffix "_trigger" $key) (kindIs "map" ($trigger).pipeline_from_label) -}}
      {{- if gt (len $trigger.pipeline_from_label) 1 -}}
        {{- fail (printf "%s.%s.pipeline_from_label: the first label that a ticket carries wins, and Helm forgets the order of keys. Write a list: [{ label: pipeline }, { label: pipeline }]" $at $key) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range $name, $pipeline := $values.config.pipelines -}}
  {{- range $variable, $value := ($pipeline).env -}}
    {{- if regexMatch $secretName $variable }}{{ include "agentsmith.byReference" (list (printf "config.pipelines.%s.env.%s" $name $variable) $value) }}{{ end -}}
  {{- end -}}
  {{- with ($pipeline).kubernetes_job -}}
    {{- if contains "${" (default "" .namespace) }}{{ fail (printf "config.pipelines.%s.kubernetes_job.namespace: the chart grants its rights there, so it has to be a name" $name) }}{{ end -}}
  {{- end -}}
  {{- with ($pipeline).http -}}
    {{- include "agentsmith.byReference" (list (printf "config.pipelines.%s.http.secret" $name) .secret) -}}
    {{- range $index, $secret := .secrets -}}
      {{- include "agentsmith.byReference" (list (printf "config.pipelines.%s.http.secrets[%d]" $name $index) $secret) -}}
    {{- end -}}
    {{- range $header, $value := .headers -}}
      {{- if or (regexMatch $secretName $header) (eq (lower $header) "authorization") -}}
        {{- include "agentsmith.byReference" (list (printf "config.pipelines.%s.http.headers.%s" $name $header) $value) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{- with $values.config.webhooks -}}
  {{- if has (default "127.0.0.1" .listen_host) (tuple "127.0.0.1" "localhost" "::1") -}}
    {{- fail "config.webhooks.listen_host: nothing outside of the pod reaches 127.0.0.1. Set it to \"::\", or to 0.0.0.0" -}}
  {{- end -}}
  {{- if kindIs "string" .listen_port }}{{ fail "config.webhooks.listen_port: the Service needs it as a number" }}{{ end -}}
{{- end -}}
{{- if $values.ingress.enabled -}}
  {{- if not $values.ingress.host }}{{ fail "ingress.host: the name by which the platforms reach you" }}{{ end -}}
  {{- if eq (default "" $values.config.event_engine) "polling" }}{{ fail "ingress.enabled: with config.event_engine: polling no webhook is taken" }}{{ end -}}
{{- end -}}
{{- if and $values.keda.enabled $values.autoscaling.enabled }}{{ fail "keda and autoscaling: only one of them may set the number of replicas" }}{{ end -}}
{{- if and $values.keda.enabled (not $values.keda.prometheus) }}{{ fail "keda.prometheus: the address of the Prometheus that scrapes the replicas" }}{{ end -}}
{{- end }}

{{/* Refuses a secret that is written out. Takes a list of where it stands and the value. */}}
{{- define "agentsmith.byReference" -}}
{{- $value := toString (default "" (index . 1)) -}}
{{- if and $value (not (contains "${" $value)) -}}
  {{- fail (printf "%s is a secret, and values are not kept secret: write ${VARIABLE}, and set secretEnv.VARIABLE: {secret: NAME, key: KEY}" (index . 0)) -}}
{{- end -}}
{{- end }}
