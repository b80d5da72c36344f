{{/* The way out, by Node's own variables. A proxy that stands in a Secret is set by secretEnv, and needs the rest all the same. */}}
{{- define "agentsmith.proxyEnv" -}}
{{- if or .Values.proxy.url (hasKey .Values.secretEnv "HTTPS_PROXY") -}}
{{- /* The address of the API server is known in the pod alone. */ -}}
{{- $direct := concat (list "localhost" "127.0.0.1" "::1" ".svc" ".cluster.local" "$(KUBERNETES_SERVICE_HOST)") .Values.proxy.exceptions -}}
{{- if .Values.trialRedis.enabled }}{{ $direct = append $direct (printf "%s-redis" (include "agentsmith.fullname" .)) }}{{ end -}}
- { name: NODE_USE_ENV_PROXY, value: "1" }
- { name: NO_PROXY, value: {{ join "," $direct | quote }} }
{{- with .Values.proxy.url }}
- { name: HTTPS_PROXY, value: {{ . | quote }} }
- { name: HTTP_PROXY, value: {{ . | quote }} }
{{- end }}
{{- end }}
{{- end }}

{{/* Port of the proxy as a number; empty when there is none, or it stands in a Secret. */}}
{{- define "agentsmith.proxyPort" -}}
{{- if .Values.proxy.url -}}
  {{- $url := urlParse .Values.proxy.url -}}
  {{- regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}
{{- end }}
