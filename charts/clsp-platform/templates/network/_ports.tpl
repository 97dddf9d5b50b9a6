{{/* Port of a URL: the one it names, or its scheme's. */}}
{{- define "clsp.endpointPort" -}}
{{- $host := (urlParse .).host -}}
{{- $named := regexFind ":[0-9]+$" $host | trimPrefix ":" -}}
{{- $named | default (ternary "443" "80" (hasPrefix "https:" .)) -}}
{{- end -}}
