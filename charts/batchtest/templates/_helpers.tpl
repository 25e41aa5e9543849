{{- define "batchtest.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{- /*
At most 55 characters, so that Services may be called <fullname>-metrics and <fullname>-ingest: a name of theirs has at most 63, and begins with a letter.
The API server would refuse another one after the rest of the release was made.
*/ -}}
{{- define "batchtest.fullname" -}}
{{- $name := printf "%s-%s" .Release.Name (include "batchtest.name" .) -}}
{{- if .Values.fullnameOverride -}}
{{- $name = .Values.fullnameOverride -}}
{{- else if contains (include "batchtest.name" .) .Release.Name -}}
{{- $name = .Release.Name -}}
{{- end -}}
{{- $name = $name | trunc 55 | trimAll "-" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "no Service can be called %q: set fullnameOverride to a name of lower-case letters, digits and dashes that begins with a letter" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "batchtest.selectorLabels" -}}
app.kubernetes.io/name: {{ include "batchtest.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "batchtest.labels" -}}
{{ include "batchtest.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "batchtest.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "batchtest.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "batchtest.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- /* An argument of a container as it is meant: the kubelet takes $(NAME) for a variable, and $$ for one $. */ -}}
{{- define "batchtest.argument" -}}
{{- replace "$" "$$" . | quote -}}
{{- end -}}

{{- /* Namespaces that are watched, as JSON; empty when all are. */ -}}
{{- define "batchtest.namespaces" -}}
{{- if not .Values.watch.clusterWide -}}
{{- default (list .Release.Namespace) .Values.watch.namespaces | uniq | toJson -}}
{{- else if .Values.watch.namespaces -}}
{{- fail "watch.namespaces names namespaces, and watch.clusterWide has all of them watched: set watch.clusterWide=false for these alone, or leave watch.namespaces empty" -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- /* At most 52 characters: pods of a StatefulSet have a label of its name, a dash and a hash of ten. */ -}}
{{- define "batchtest.databaseName" -}}
{{- printf "%s-postgres" (include "batchtest.fullname" . | trunc 43 | trimAll "-") -}}
{{- end -}}

{{- define "batchtest.databaseSecret" -}}
{{- $existing := .Values.database.existingSecret.name -}}
{{- if and .Values.database.embedded.enabled $existing -}}
{{- fail "set database.existingSecret.name or database.embedded.enabled, not both" -}}
{{- else if .Values.database.embedded.enabled -}}
{{- include "batchtest.databaseName" . -}}
{{- else -}}
{{- required "where are results to be stored? Set database.existingSecret.name to a Secret with the database's URL, or database.embedded.enabled=true to try BatchTest out" $existing -}}
{{- end -}}
{{- end -}}

{{- /* How the database is reached by the URL in a Secret: a dict of root, secret and key. */ -}}
{{- define "batchtest.databaseVolumes" -}}
- name: database
  secret:
    secretName: {{ .secret | quote }}
    items:
    - {key: {{ .key | quote }}, path: url}
{{- with .root.Values.database.tls }}
{{- if and .configMap .secretName }}
{{- fail "set database.tls.configMap or database.tls.secretName, not both" }}
{{- else if .configMap }}
- name: database-tls
  configMap: {name: {{ .configMap | quote }}}
{{- else if .secretName }}
- name: database-tls
  secret: {secretName: {{ .secretName | quote }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "batchtest.databaseMounts" -}}
- {name: database, mountPath: /var/run/batchtest/database, readOnly: true}
{{- if or .Values.database.tls.configMap .Values.database.tls.secretName }}
- {name: database-tls, mountPath: /var/run/batchtest/database-tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "batchtest.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "batchtest.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "batchtest.ingestUrl" -}}
{{- $scheme := ternary "https" "http" (ne .Values.resultIngest.tls.secretName "") -}}
{{- printf "%s://%s-ingest.%s.svc:%v" $scheme (include "batchtest.fullname" .) .Release.Namespace .Values.resultIngest.port -}}
{{- end -}}

{{- /* What the operator does in a namespace whose BatchTests it runs. */ -}}
{{- define "batchtest.rules" -}}
- apiGroups: [batchtest.dev]
  resources: [batchtests]
  # patch: the finalizer. delete: spec.ttlSecondsAfterFinished.
  verbs: [get, list, watch, patch, delete]
- apiGroups: [batchtest.dev]
  resources: [batchtests/status]
  verbs: [patch]
- apiGroups: [batchtest.dev]
  # Where owner references that block deletion are protected.
  resources: [batchtests/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete, deletecollection]
- apiGroups: [""]
  # create, delete: spec.execution Pod.
  resources: [pods]
  verbs: [get, list, watch, create, delete, deletecollection]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
