{{/* Egress rules from {to, ports}; without `to`, anywhere on these ports. */}}

{{- define "audit.egress" -}}
{{- range . }}
- {{ if .to }}to:
    {{- toYaml .to | nindent 4 }}
  {{ end }}ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ int64 . }}}
    {{- end }}
{{- end }}
{{- end -}}
