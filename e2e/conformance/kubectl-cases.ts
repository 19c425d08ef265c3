/**
 * What people type, and what Kubernetes answers: each case is a list of commands with their exit code and what must
 * stand in their output. `{ns}` is the case's own namespace (and part of the names of what has none); versions may
 * differ in words, so patterns keep to what all of them say.
 */
export interface Step {
  /** Words separated by blanks, or the words themselves when one holds a blank. */
  readonly run: string | readonly string[];
  /** 0 when absent. */
  readonly code?: number;
  readonly out?: RegExp;
  /** Must not stand in standard output. */
  readonly not?: RegExp;
  readonly err?: RegExp;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Repeated until it does as it should: what controllers and workers have to do first. */
  readonly eventually?: boolean;
  /** The first minor version whose kubectl knows the command. */
  readonly since?: number;
}

export interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
}

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: "registry.test/web:1", ports: [{containerPort: 80}], env: [{name: A, value: "1"}]}
`;
const DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.NS.example.com}
spec:
  group: NS.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab, shortNames: [NSct]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns: [{name: Replicas, type: integer, jsonPath: .spec.replicas}, {name: Age, type: date, jsonPath: .metadata.creationTimestamp}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, properties: {replicas: {type: integer, default: 1, maximum: 5}, note: {type: string}}}
          status: {type: object, properties: {replicas: {type: integer}}}
`;
const CUSTOM = 'apiVersion: NS.example.com/v1\nkind: CronTab\nmetadata: {name: tab}\nspec: {note: a}\n';
const MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: "1", b: "2"}\n';

export const CASES: readonly Case[] = [
  {
    name: 'get: outputs, sorting, selectors',
    steps: [
      { run: 'create configmap one --from-literal=k=v', out: /^configmap\/one created$/m },
      { run: 'create configmap two --from-literal=a=1 --from-literal=b=2' },
      { run: 'label configmap one tier=front', out: /^configmap\/one labeled$/m },
      { run: 'get configmaps one two', out: /^NAME +DATA +AGE\none +1 +\d+s\ntwo +2 +\d+s\n$/ },
      { run: 'get cm one -o name', out: /^configmap\/one\n$/ },
      { run: 'get cm one -o yaml', out: /^apiVersion: v1\ndata:\n {2}k: v\nkind: ConfigMap\n/ },
      { run: 'get cm one -o json', out: /"kind": "ConfigMap"/ },
      { run: 'get cm one -o jsonpath={.data.k}', out: /^v$/ },
      { run: 'get cm one -o go-template={{.data.k}}', out: /^v$/ },
      { run: 'get cm one two -o custom-columns=N:.metadata.name,K:.data.k', out: /^N +K\none +v\ntwo +<none>\n$/ },
      { run: 'get cm one two --no-headers', out: /^one/ },
      { run: 'get cm -l tier=front -o name', out: /^configmap\/one\n$/ },
      { run: 'get cm -l tier!=front -o name', out: /configmap\/two/, not: /configmap\/one/ },
      { run: ['get', 'cm', '-l', 'tier in (front,back)', '--show-labels'], out: /one .* tier=front/ },
      { run: 'get cm -L tier', out: /NAME +DATA +AGE +TIER\n/ },
      { run: 'get cm --field-selector metadata.name=two -o name', out: /^configmap\/two\n$/ },
      {
        run: 'get cm --field-selector spec.nope=1',
        code: 1,
        err: /"spec\.nope" is not a known field selector: only "metadata\.name", "metadata\.namespace"/,
      },
      { run: 'get cm --sort-by=.metadata.creationTimestamp', out: /one[^]*two/ },
      { run: 'get cm --sort-by={.metadata.name} -o name', out: /kube-root-ca[^]*one[^]*two/ },
      { run: 'get cm -A', out: /^NAMESPACE +NAME +DATA +AGE\n[^]*\{ns\} +one /m },
      { run: 'get cm one -o wide', out: /^NAME +DATA +AGE\n/ },
      { run: 'get cm none', code: 1, err: /^Error from server \(NotFound\): configmaps "none" not found$/m },
      { run: 'get nothing', code: 1, err: /the server doesn't have a resource type "nothing"/ },
      { run: 'get cm none --ignore-not-found', out: /^$/ },
      { run: 'get pods', err: /^No resources found in \{ns\} namespace\.\n$/ },
      { run: 'get --raw /api/v1/namespaces/{ns}/configmaps/one', out: /"kind":"ConfigMap"/ },
      { run: 'get --raw /readyz', out: /^ok$/ },
      { run: 'get cm one --watch --request-timeout=1s', out: /^NAME +DATA +AGE\none / },
    ],
  },
  {
    name: 'create: every generator',
    steps: [
      { run: 'create deployment d --image=i --replicas=0', out: /^deployment\.apps\/d created$/m },
      { run: 'create job j --image=i -- true', out: /^job\.batch\/j created$/m },
      {
        run: ['create', 'cronjob', 'c', '--image=i', '--schedule=*/5 * * * *', '--', 'true'],
        out: /^cronjob\.batch\/c created$/m,
      },
      { run: 'create job from --from=cronjob/c', out: /^job\.batch\/from created$/m },
      { run: 'create secret generic s --from-literal=k=v', out: /^secret\/s created$/m },
      {
        run: 'create secret docker-registry r --docker-username=u --docker-password=p --docker-server=x',
        out: /^secret\/r created$/m,
      },
      { run: 'create serviceaccount robot', out: /^serviceaccount\/robot created$/m },
      { run: 'create service clusterip svc --tcp=80:8080', out: /^service\/svc created$/m },
      { run: 'create service nodeport np --tcp=80', out: /^service\/np created$/m },
      { run: 'create service loadbalancer lb --tcp=80', out: /^service\/lb created$/m },
      { run: 'create service externalname ext --external-name=example.test', out: /^service\/ext created$/m },
      { run: 'create quota q --hard=pods=10,requests.cpu=1', out: /^resourcequota\/q created$/m },
      {
        run: 'create poddisruptionbudget p --selector=app=x --min-available=50%',
        out: /^poddisruptionbudget\.policy\/p created$/m,
      },
      {
        run: 'create role r --verb=get,list --resource=pods,pods/log',
        out: /^role\.rbac\.authorization\.k8s\.io\/r created$/m,
      },
      {
        run: 'create rolebinding rb --role=r --serviceaccount={ns}:robot',
        out: /^rolebinding\.rbac\.authorization\.k8s\.io\/rb created$/m,
      },
      { run: 'create clusterrole {ns} --verb=get --non-resource-url=/logs', out: /created$/m },
      { run: 'create clusterrolebinding {ns} --clusterrole={ns} --user=u', out: /created$/m },
      {
        run: 'create ingress i --rule=a.test/*=svc:80 --class=nginx',
        out: /^ingress\.networking\.k8s\.io\/i created$/m,
      },
      { run: 'create priorityclass {ns} --value=10 --description=d', out: /created$/m },
      { run: 'create namespace {ns}-other', out: /^namespace\/\{ns\}-other created$/m },
      { run: 'create token robot --duration=10m', out: /^ey[\w-]+\.[\w-]+\.[\w-]+$/ },
      { run: 'create deployment d --image=i', code: 1, err: /deployments\.apps "d" already exists/ },
      {
        run: 'create configmap Bad_Name',
        code: 1,
        err: /Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of/,
      },
      { run: 'create configmap dry --dry-run=server -o name', out: /^configmap\/dry\n$/ },
      { run: 'get cm dry', code: 1 },
      { run: 'delete clusterrole,clusterrolebinding,priorityclass {ns}' },
      { run: 'delete namespace {ns}-other --wait=false', out: /deleted/ },
    ],
  },
  {
    name: 'apply: three-way, pruned, diffed',
    steps: [
      { run: 'diff -f -', stdin: MAP, code: 1, out: /^\+kind: ConfigMap$/m },
      { run: 'apply -f -', stdin: MAP, out: /^configmap\/m created$/m },
      { run: 'apply -f -', stdin: MAP, out: /^configmap\/m unchanged$/m },
      { run: 'diff -f -', stdin: MAP, out: /^$/ },
      { run: 'apply -f -', stdin: MAP.replace(', b: "2"', ', c: "3"'), out: /^configmap\/m configured$/m },
      { run: 'get cm m -o jsonpath={.data}', out: /^\{"a":"1","c":"3"\}$/ },
      { run: 'apply view-last-applied cm/m', out: /c: "3"/ },
      {
        run: 'apply -f - --prune -l app=x',
        stdin: MAP.replace('name: m', 'name: n1, labels: {app: x}'),
        out: /configmap\/n1 created/,
      },
      {
        run: 'apply -f - --prune -l app=x',
        stdin: MAP.replace('name: m', 'name: n2, labels: {app: x}'),
        out: /configmap\/n1 pruned/,
      },
      { run: 'apply -f - --dry-run=server', stdin: MAP, out: /configmap\/m configured \(server dry run\)/ },
      { run: 'apply -f -', stdin: DEPLOYMENT, out: /deployment\.apps\/web created/ },
      {
        run: 'apply -f -',
        stdin: DEPLOYMENT.replace('env: [{name: A, value: "1"}]', 'env: [{name: B, value: "2"}]'),
        out: /configured/,
      },
      { run: 'get deploy web -o jsonpath={.spec.template.spec.containers[0].env[*].name}', out: /^B$/ },
      {
        run: 'apply -f -',
        stdin: DEPLOYMENT.replace('replicas: 2', 'replicaz: 2'),
        code: 1,
        err: /unknown field "spec\.replicaz"/,
      },
      {
        run: 'apply -f - --validate=false',
        stdin: DEPLOYMENT.replace('replicas: 2', 'replicaz: 2'),
        out: /configured/,
      },
      {
        run: 'apply -f -',
        stdin: DEPLOYMENT.replace('matchLabels: {app: web}', 'matchLabels: {app: other}'),
        code: 1,
        err: /field is immutable|does not match template `labels`/,
      },
    ],
  },
  {
    name: 'apply --server-side: owners and conflicts',
    steps: [
      { run: 'apply --server-side -f -', stdin: MAP, out: /^configmap\/m serverside-applied$/m },
      {
        run: 'apply --server-side --field-manager=other -f -',
        stdin: MAP.replace('a: "1"', 'a: "9"'),
        code: 1,
        err: /Apply failed with 1 conflict: conflict with "kubectl"[^]*\.data\.a/,
      },
      {
        run: 'apply --server-side --field-manager=other --force-conflicts -f -',
        stdin: MAP.replace('a: "1"', 'a: "9"'),
        out: /serverside-applied/,
      },
      { run: 'get cm m -o jsonpath={.data.a}', out: /^9$/ },
      { run: 'get cm m --show-managed-fields -o yaml', out: /manager: other\n {4}operation: Apply/ },
      {
        run: 'apply --server-side --field-manager=other -f -',
        stdin: MAP.replace('a: "1", ', '').replace('b: "2"', 'b: "2"'),
        out: /serverside-applied/,
      },
      { run: 'get cm m -o jsonpath={.data}', out: /^\{"b":"2"\}$/ },
      { run: 'diff --server-side -f -', stdin: MAP, code: 1, out: /^\+ {2}a: "1"$/m },
    ],
  },
  {
    name: 'edit, patch, replace, set, label, annotate',
    steps: [
      { run: 'create -f -', stdin: DEPLOYMENT, out: /deployment\.apps\/web created/ },
      {
        run: 'edit deploy web',
        env: { KUBE_EDITOR: 'sed -i s/replicas:.2/replicas:\\ 1/' },
        out: /deployment\.apps\/web edited/,
      },
      { run: 'edit deploy web', env: { KUBE_EDITOR: 'true' }, err: /Edit cancelled, no changes made/ },
      { run: 'get deploy web -o jsonpath={.spec.replicas}', out: /^1$/ },
      {
        run: [
          'patch',
          'deploy',
          'web',
          '-p',
          '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"s"}]}}}}',
        ],
        out: /deployment\.apps\/web patched/,
      },
      { run: 'get deploy web -o jsonpath={.spec.template.spec.containers[*].name}', out: /^(side main|main side)$/ },
      {
        run: ['patch', 'deploy', 'web', '--type=json', '-p', '[{"op":"replace","path":"/spec/replicas","value":3}]'],
        out: /patched/,
      },
      { run: ['patch', 'deploy', 'web', '--type=merge', '-p', '{"spec":{"paused":true}}'], out: /patched/ },
      {
        run: ['patch', 'deploy', 'web', '--type=json', '-p', '[{"op":"test","path":"/spec/replicas","value":4}]'],
        code: 1,
        err: /the server rejected our request due to an error in our request|test/,
      },
      // Of an object that nobody else writes: a controller's status between kubectl's two looks would be a change.
      { run: 'create cm same --from-literal=a=b', out: /configmap\/same created/ },
      { run: ['patch', 'cm', 'same', '-p', '{"data":{"a":"b"}}'], out: /patched \(no change\)/ },
      {
        run: ['patch', 'deploy', 'web', '--subresource=scale', '--type=merge', '-p', '{"spec":{"replicas":2}}'],
        out: /patched/,
      },
      // kubectl reads the version, then writes with it: a controller's write between the two is a conflict, as
      // upstream.
      { run: 'replace -f -', stdin: DEPLOYMENT, out: /deployment\.apps\/web replaced/, eventually: true },
      { run: 'replace --force -f -', stdin: DEPLOYMENT, out: /web replaced/ },
      { run: 'set image deploy/web main=registry.test/web:2', out: /deployment\.apps\/web image updated/ },
      { run: 'set env deploy/web C=3', out: /deployment\.apps\/web env updated/ },
      { run: 'set env deploy/web --list', out: /^C=3$/m },
      { run: 'set resources deploy web --limits=cpu=200m,memory=64Mi', out: /resource requirements updated/ },
      { run: 'set serviceaccount deploy web default', out: /serviceaccount updated/ },
      { run: 'create service clusterip web --tcp=80', out: /created/ },
      { run: 'set selector service web app=web', out: /selector updated/ },
      { run: 'create rolebinding rb --clusterrole=view --user=a', out: /created/ },
      { run: 'set subject rolebinding rb --user=b', out: /subjects updated/ },
      { run: 'label deploy web x=y', out: /labeled/ },
      { run: 'label deploy web x=z', code: 1, err: /'x' already has a value \(y\), and --overwrite is false/ },
      { run: 'label deploy web x=z --overwrite', out: /labeled/ },
      { run: 'label deploy web x-', out: /unlabeled/ },
      { run: 'label deploy web x=a/b', code: 1, err: /invalid label value|Invalid value/ },
      { run: 'annotate deploy web note=hello', out: /annotate/ },
      { run: 'annotate deploy web note-', out: /annotate/ },
    ],
  },
  {
    name: 'rollouts and scale',
    steps: [
      { run: 'create deployment web --image=registry.test/web:1 --replicas=2 --port=80' },
      { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
      { run: 'wait --for=condition=Available deploy/web --timeout=30s', out: /^deployment\.apps\/web condition met$/m },
      { run: 'wait --for=jsonpath={.status.readyReplicas}=2 deploy/web --timeout=30s', out: /condition met/ },
      { run: 'get pods -l app=web', out: /web-\S+ +1\/1 +Running +0 /, eventually: true },
      { run: 'set image deploy/web web=registry.test/web:2', out: /image updated/ },
      { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
      { run: 'rollout history deploy/web', out: /REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>/ },
      { run: 'rollout history deploy/web --revision=1', out: /registry\.test\/web:1/ },
      { run: 'rollout undo deploy/web', out: /deployment\.apps\/web rolled back/ },
      { run: 'rollout status deploy/web --timeout=60s', out: /successfully rolled out/ },
      { run: 'get deploy web -o jsonpath={.spec.template.spec.containers[0].image}', out: /web:1$/ },
      { run: 'rollout pause deploy/web', out: /deployment\.apps\/web paused/ },
      { run: 'rollout resume deploy/web', out: /deployment\.apps\/web resumed/ },
      { run: 'rollout restart deploy/web', out: /deployment\.apps\/web restarted/ },
      { run: 'scale deploy web --replicas=3', out: /deployment\.apps\/web scaled/ },
      {
        run: 'scale deploy web --current-replicas=9 --replicas=1',
        code: 1,
        err: /[Ee]xpected replicas to be 9, was 3/,
      },
      {
        run: 'autoscale deploy web --min=1 --max=3 --cpu-percent=80',
        out: /horizontalpodautoscaler\.autoscaling\/web autoscaled/,
      },
      { run: 'get hpa', out: /NAME +REFERENCE +TARGETS +MINPODS +MAXPODS +REPLICAS +AGE\nweb +Deployment\/web +/ },
      { run: 'expose deploy web --port=80 --target-port=80', out: /^service\/web exposed$/m },
      { run: 'get endpointslices -l kubernetes.io/service-name=web', out: /^web-\S+ +IPv4 +80 +\d/m, eventually: true },
      { run: 'get all', out: /pod\/web-[^]*service\/web[^]*deployment\.apps\/web[^]*replicaset\.apps\/web-/ },
      { run: 'describe deploy web', out: /^Name: +web\n[^]*StrategyType: +RollingUpdate\n[^]*NewReplicaSet: +web-/ },
      // Older ones look at Endpoints, which no controller of ours fills.
      { run: 'describe service web', out: /^Name: +web\n[^]*Endpoints: +10\./, eventually: true, since: 31 },
      { run: 'delete deploy web --cascade=orphan', out: /deployment\.apps "web" deleted/ },
      { run: 'get rs -l app=web -o name', out: /replicaset\.apps\/web-/ },
      { run: 'delete rs -l app=web --cascade=foreground', out: /deleted/ },
      { run: 'get pods -l app=web -o name', out: /^$/, eventually: true },
    ],
  },
  {
    name: 'pods: run, logs, exec, debug, delete',
    steps: [
      { run: 'run solo --image=registry.test/a:1 --labels=app=solo --env=A=1', out: /^pod\/solo created$/m },
      { run: 'wait --for=condition=Ready pod/solo --timeout=60s', out: /pod\/solo condition met/ },
      {
        run: 'get pod solo -o wide',
        out: /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\nsolo +1\/1 +Running +0 +\S+ +[\d.]+ +w\d +<none> +<none>\n$/,
      },
      { run: 'describe pod solo', out: /^Name: +solo\n[^]*Events:\n[^]*Scheduled/ },
      { run: 'logs solo' },
      { run: 'logs solo -c nope', code: 1, err: /container nope is not valid for pod solo/ },
      { run: 'logs none', code: 1, err: /pods "none" not found/ },
      { run: 'debug solo --image=registry.test/debug:1 --container=dbg' },
      { run: 'get pod solo -o jsonpath={.spec.ephemeralContainers[0].name}', out: /^dbg$/ },
      { run: 'debug solo --copy-to=copy --image=registry.test/debug:1' },
      { run: 'get pod copy -o name', out: /pod\/copy/ },
      { run: 'events', out: /LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n/ },
      { run: 'events --for pod/solo', out: /Scheduled +Pod\/solo/ },
      { run: 'get events --field-selector involvedObject.name=solo,reason=Scheduled', out: /pod\/solo/ },
      { run: 'delete pod copy --grace-period=1', out: /pod "copy" deleted/ },
      { run: 'delete pod solo --now', out: /pod "solo" deleted/ },
      { run: 'get pod solo', code: 1, err: /pods "solo" not found/ },
      {
        run: 'run once --image=registry.test/a:1 --restart=Never --dry-run=client -o yaml',
        out: /restartPolicy: Never/,
      },
      { run: 'run forced --image=registry.test/a:1' },
      {
        run: 'delete pod forced --force --grace-period=0',
        out: /pod "forced" force deleted/,
        err: /[Ii]mmediate deletion does not wait/,
      },
      { run: 'delete pod none', code: 1, err: /pods "none" not found/ },
      { run: 'delete pod none --ignore-not-found' },
      { run: 'delete cm,secret -l nothing=here', out: /No resources found/ },
    ],
  },
  {
    name: 'describe: every kind that has facts to tell',
    steps: [
      { run: 'create configmap x --from-literal=a=b' },
      { run: 'describe cm x', out: /Data\n====\na:\n----\nb\n/ },
      { run: 'create secret generic x --from-literal=a=b' },
      { run: 'describe secret x', out: /a: +1 bytes/ },
      { run: 'describe sa default', out: /^Name: +default\n/, eventually: true },
      { run: 'describe ns {ns}', out: /Status: +Active/ },
      { run: 'describe node w1', out: /^Name: +w1\n[^]*Allocatable:\n[^]*Non-terminated Pods:/ },
      { run: 'describe clusterrole view', out: /PolicyRule:\n/ },
      { run: 'describe quota', err: /No resources found/ },
      { run: 'create quota q --hard=pods=3' },
      { run: 'describe quota q', out: /Resource +Used +Hard/ },
      { run: 'create ingress i --rule=a.test/=web:80,tls=t' },
      { run: 'describe ingress i', out: /a\.test/ },
      { run: 'create poddisruptionbudget p --selector=app=x --max-unavailable=1' },
      { run: 'describe pdb p', out: /Max unavailable: +1/ },
      { run: ['create', 'cronjob', 'c', '--image=i', '--schedule=@daily', '--', 'x'] },
      { run: 'describe cronjob c', out: /Schedule: +@daily/ },
      { run: 'describe pc system-node-critical', out: /Value: +2000001000/ },
      { run: 'describe svc kubernetes -n default', out: /Type: +ClusterIP/ },
      { run: 'describe none none', code: 1, err: /doesn't have a resource type "none"/ },
    ],
  },
  {
    name: 'access: can-i, whoami, reconcile, tokens, certificates',
    steps: [
      { run: 'auth can-i create pods', out: /^yes\n$/ },
      { run: 'auth can-i create pods --as=nobody', code: 1, out: /^no\n$/ },
      {
        run: 'auth can-i --list --as=system:serviceaccount:{ns}:default',
        out: /selfsubjectaccessreviews\.authorization\.k8s\.io/,
      },
      { run: 'auth whoami', out: /Username +kubernetes-admin/, since: 28 },
      {
        run: 'auth reconcile -f -',
        stdin:
          'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: NS}\nrules: [{apiGroups: [""], resources: [pods], verbs: [get]}]\n',
        out: /role\.rbac\.authorization\.k8s\.io\/r reconciled/,
      },
      { run: 'create rolebinding rb --role=r --user=reader' },
      {
        run: 'get pods --as=reader',
        code: 1,
        err: /Error from server \(Forbidden\): pods is forbidden: User "reader" cannot list resource "pods" in API group "" in the namespace "\{ns\}"/,
      },
      { run: 'auth can-i get pods --as=reader', out: /^yes/, eventually: true },
      {
        run: 'get cm --as=reader -A',
        code: 1,
        err: /configmaps is forbidden: User "reader" cannot list resource "configmaps" in API group "" at the cluster scope/,
      },
      {
        run: 'certificate approve none',
        code: 1,
        err: /certificatesigningrequests\.certificates\.k8s\.io "none" not found/,
      },
      { run: 'create token none', code: 1, err: /serviceaccounts "none" not found/ },
    ],
  },
  {
    name: 'explain, api-resources, versions, cluster-info, config',
    steps: [
      { run: 'explain pods', out: /KIND: +Pod\n[^]*spec\t<PodSpec>|KIND: +Pod\n[^]*spec\t/ },
      { run: 'explain deployment.spec.template.spec.containers', out: /livenessProbe/ },
      { run: 'explain pod.spec --recursive', out: /containers\t[^]*image\t/ },
      { run: 'explain ingress --api-version=networking.k8s.io/v1', out: /VERSION: +(networking\.k8s\.io\/)?v1/ },
      {
        run: 'explain nothing',
        code: 1,
        err: /(couldn't find resource for|the server doesn't have a resource type) "nothing"/,
      },
      { run: 'explain pod.nope', code: 1, err: /field "nope" does not exist/ },
      {
        run: 'api-resources',
        out: /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND\n[^]*deployments +deploy +apps\/v1 +true +Deployment\n/,
      },
      { run: 'api-resources --api-group=batch -o name', out: /^cronjobs\.batch\njobs\.batch\n$/ },
      { run: 'api-resources --verbs=list --namespaced=false -o name', out: /^nodes$/m, not: /^pods$/m },
      { run: 'api-versions', out: /^apps\/v1\n/m },
      { run: 'version -o json', out: /"gitVersion": "v1\.36\.\d+"/ },
      { run: 'cluster-info', out: /Kubernetes control plane.* is running at.*https:\/\/127/ },
      { run: 'config view', out: /^clusters:$/m },
      { run: 'config current-context', out: /\S/ },
      { run: 'top nodes', code: 1, err: /Metrics API not available/ },
      { run: 'options', out: /--kubeconfig/ },
    ],
  },
  {
    name: 'nodes: cordon, taint, drain of nothing',
    steps: [
      {
        run: 'get nodes -o wide',
        out: /^NAME +STATUS +ROLES +AGE +VERSION +INTERNAL-IP +EXTERNAL-IP +OS-IMAGE +KERNEL-VERSION +CONTAINER-RUNTIME\nw1 +Ready/,
      },
      { run: 'create -f -', stdin: 'apiVersion: v1\nkind: Node\nmetadata: {name: NS}\nspec: {}\n', out: /created/ },
      { run: 'cordon {ns}', out: /node\/\{ns\} cordoned/ },
      { run: 'get node {ns}', out: /SchedulingDisabled/ },
      { run: 'get nodes --field-selector spec.unschedulable=true', out: /^\{ns\} /m },
      { run: 'uncordon {ns}', out: /node\/\{ns\} uncordoned/ },
      { run: 'taint node {ns} k=v:NoSchedule', out: /node\/\{ns\} tainted/ },
      { run: 'taint node {ns} k=v:Nope', code: 1, err: /invalid taint effect: Nope/ },
      { run: 'taint node {ns} k-', out: /node\/\{ns\} untainted/ },
      { run: 'drain {ns} --ignore-daemonsets --timeout=20s', out: /node\/\{ns\} drained/ },
      { run: 'delete node {ns}', out: /node "\{ns\}" deleted/ },
    ],
  },
  {
    name: 'custom resources',
    steps: [
      {
        run: 'apply -f -',
        stdin: DEFINITION,
        out: /customresourcedefinition\.apiextensions\.k8s\.io\/crontabs\.\{ns\}\.example\.com created/,
      },
      { run: 'wait --for=condition=Established crd/crontabs.{ns}.example.com --timeout=10s', out: /condition met/ },
      { run: 'apply -f -', stdin: CUSTOM, out: /^crontab\.\{ns\}\.example\.com\/tab created$/m },
      { run: 'apply -f -', stdin: CUSTOM, out: /unchanged/ },
      { run: 'apply -f -', stdin: CUSTOM.replace('note: a', 'note: b'), out: /configured/ },
      { run: 'apply --server-side --force-conflicts -f -', stdin: CUSTOM, out: /serverside-applied/ },
      { run: 'get {ns}ct', out: /^NAME +REPLICAS +AGE\ntab +1 +\d+s\n$/ },
      { run: 'scale {ns}ct tab --replicas=3', out: /scaled/ },
      { run: 'get crontabs.{ns}.example.com tab -o jsonpath={.spec.replicas}', out: /^3$/ },
      {
        run: ['patch', '{ns}ct', 'tab', '--type=merge', '-p', '{"spec":{"replicas":9}}'],
        code: 1,
        err: /The CronTab "tab" is invalid: spec\.replicas: Invalid value: 9: spec\.replicas in body should be less than or equal to 5/,
      },
      {
        run: 'create -f -',
        stdin: CUSTOM.replace('name: tab', 'name: other').replace('note: a', 'nope: a'),
        code: 1,
        err: /unknown field "spec\.nope"/,
      },
      { run: 'label {ns}ct tab a=b', out: /labeled/ },
      { run: 'describe {ns}ct tab', out: /^Name: +tab\n[^]*Note: +a/ },
      { run: 'explain {ns}ct.spec', out: /replicas\t<integer>/, eventually: true },
      { run: 'edit {ns}ct tab', env: { KUBE_EDITOR: 'sed -i s/note:.a/note:\\ c/' }, out: /edited/ },
      { run: 'create namespace {ns}-other', out: /created/ },
      { run: 'create -f - -n {ns}-other', stdin: CUSTOM, out: /created/ },
      { run: 'delete namespace {ns}-other --timeout=30s', out: /deleted/ },
      { run: 'get {ns}ct -A -o name', out: /^\S+\/tab\n$/ },
      { run: 'delete crd crontabs.{ns}.example.com --timeout=20s', out: /deleted/ },
      {
        run: 'get {ns}ct',
        code: 1,
        err: /the server (doesn't have a resource type|could not find the requested resource)/,
      },
    ],
  },
  {
    name: "bad manifests, in Kubernetes' words",
    steps: [
      {
        run: 'create -f -',
        stdin: 'apiVersion: v1\nkind: ConfigMap\n',
        code: 1,
        err: /name is required|name or generateName is required/,
      },
      {
        run: 'create -f -',
        stdin: 'apiVersion: v2\nkind: ConfigMap\nmetadata: {name: a}\n',
        code: 1,
        err: /no matches for kind "ConfigMap" in version "v2"/,
      },
      {
        run: 'create -f -',
        stdin: DEPLOYMENT.replace('replicas: 2', 'replicas: -1'),
        code: 1,
        err: /The Deployment "web" is invalid: spec\.replicas: Invalid value: -1: must be greater than or equal to 0/i,
      },
      {
        run: 'create -f -',
        stdin: DEPLOYMENT.replace('replicas: 2', 'replicas: two'),
        code: 1,
        err: /cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32/,
      },
      {
        run: 'create -f -',
        stdin: DEPLOYMENT.replace('app: web}}\n    spec', 'app: other}}\n    spec'),
        code: 1,
        err: /spec\.template\.metadata\.labels: Invalid value: [^]*`selector` does not match template `labels`/,
      },
      {
        run: 'create -f -',
        stdin: 'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}, {port: 80}]}\n',
        code: 1,
        err: /spec\.ports\[0\]\.name: Required value/,
      },
      {
        run: 'create -f -',
        stdin: 'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: []}\n',
        code: 1,
        err: /spec\.containers: Required value/,
      },
      {
        run: 'create -f -',
        stdin: `${MAP}---\n${MAP}`,
        code: 1,
        out: /configmap\/m created/,
        err: /configmaps "m" already exists/,
      },
      { run: 'create -f - -n nowhere', stdin: MAP, code: 1, err: /namespaces "nowhere" not found/ },
      { run: 'create -f -', stdin: 'a: [', code: 1, err: /error parsing STDIN|error converting YAML/ },
    ],
  },
];
