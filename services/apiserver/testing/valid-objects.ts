/**
 * An object of each kind that can be created and read, such as the API takes in: with numbers at their ends,
 * quantities, numbers-or-strings, times, maps and empty lists where the kind has them. For test files only.
 */
import type { JsonObject } from '../../../apimachinery/value.js';

const LABELS = { app: 'web', 'example.com/tier': '' };
const SELECTOR = { matchLabels: LABELS, matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'api'] }] };
const CONTAINER = {
  name: 'main',
  image: 'registry.example/app:1',
  command: ['sh', '-c', 'sleep 1'],
  args: [],
  env: [
    { name: 'PLAIN', value: 'text "quoted" é漢😀' },
    { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
    { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'k', optional: true } } },
  ],
  ports: [{ name: 'http', containerPort: 65535, protocol: 'UDP' }],
  resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '1500m', memory: '1536Mi' } },
  readinessProbe: { httpGet: { path: '/ready', port: 'http' }, periodSeconds: 2147483647 },
  livenessProbe: { tcpSocket: { port: 8080 }, terminationGracePeriodSeconds: 9223372036854775807n },
  volumeMounts: [{ name: 'work', mountPath: '/work', readOnly: true }],
  securityContext: { runAsUser: 0, privileged: false, capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } },
};
const POD_SPEC = {
  containers: [CONTAINER],
  volumes: [
    { name: 'work', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
    { name: 'all', projected: { sources: [{ configMap: { name: 'c', items: [{ key: 'a', path: 'b', mode: 0 }] } }] } },
  ],
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: -9223372036854775808n }],
  affinity: {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, podAffinityTerm: { labelSelector: SELECTOR, topologyKey: 'zone' } },
      ],
    },
  },
  topologySpreadConstraints: [
    { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: SELECTOR },
  ],
};
const TEMPLATE = { metadata: { labels: LABELS, annotations: { note: '' } }, spec: POD_SPEC };
const JOB_TEMPLATE = { metadata: { labels: { app: 'job' } }, spec: { ...POD_SPEC, restartPolicy: 'Never' } };
const RULE = {
  apiGroups: ['apps'],
  apiVersions: ['v1'],
  operations: ['CREATE', 'UPDATE'],
  resources: ['deployments'],
  scope: '*',
};
const WEBHOOK = {
  name: 'check.example.com',
  clientConfig: { service: { name: 'hook', namespace: 'default', path: '/check', port: 8443 }, caBundle: 'AP8B' },
  rules: [RULE],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  timeoutSeconds: 30,
  matchConditions: [{ name: 'named', expression: 'has(object.metadata.name)' }],
};
const DEVICES = {
  devices: {
    requests: [
      { name: 'gpu', exactly: { deviceClassName: 'gpu.example.com', allocationMode: 'ExactCount', count: 2 } },
    ],
  },
};
const REFERENCE = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
const SUBJECTS = [{ kind: 'Group', name: 'readers', apiGroup: 'rbac.authorization.k8s.io' }];
const roleRef = (kind: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: 'view' });
const ROLE_RULES = [
  { apiGroups: [''], resources: ['pods', 'pods/log'], resourceNames: ['a'], verbs: ['get', 'watch'] },
];
const ENDPOINT_REFERENCE = { kind: 'Pod', name: 'web-0', namespace: 'default', uid: 'u-1' };

const CORE: Readonly<Record<string, JsonObject>> = {
  ConfigMap: { data: { 'file.txt': 'a\nb\n', empty: '' }, binaryData: { raw: 'AAH/' }, immutable: true },
  Endpoints: {
    subsets: [
      {
        addresses: [{ ip: '10.1.2.3', nodeName: 'n', targetRef: ENDPOINT_REFERENCE }],
        ports: [{ name: 'p', port: 1 }],
      },
    ],
  },
  Event: {
    involvedObject: { ...ENDPOINT_REFERENCE, fieldPath: 'spec.containers{main}' },
    reason: 'Started',
    message: 'ok',
    type: 'Normal',
    count: 2147483647,
    firstTimestamp: '2026-01-02T03:04:05Z',
    lastTimestamp: '2026-01-02T03:04:06Z',
    source: { component: 'agent' },
  },
  LimitRange: {
    spec: {
      limits: [
        {
          type: 'Container',
          max: { cpu: '2' },
          min: { cpu: '10m' },
          default: { cpu: '1' },
          defaultRequest: { cpu: '100m' },
        },
      ],
    },
  },
  Namespace: { spec: { finalizers: ['kubernetes'] } },
  Node: {
    spec: {
      podCIDR: '10.2.0.0/24',
      podCIDRs: ['10.2.0.0/24'],
      taints: [{ key: 'k', effect: 'NoSchedule' }],
      unschedulable: true,
    },
  },
  PersistentVolumeClaim: {
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '10Gi' } },
      storageClassName: '',
      selector: SELECTOR,
    },
  },
  PersistentVolume: {
    spec: {
      accessModes: ['ReadWriteOnce', 'ReadOnlyMany'],
      capacity: { storage: '9223372036854775807' },
      hostPath: { path: '/x', type: 'Directory' },
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'n', operator: 'Gt', values: ['1'] }] }] },
      },
    },
  },
  Pod: { spec: POD_SPEC },
  PodTemplate: { template: TEMPLATE },
  ReplicationController: { spec: { replicas: 0, selector: LABELS, template: TEMPLATE } },
  ResourceQuota: {
    spec: {
      hard: { pods: '10' },
      scopeSelector: { matchExpressions: [{ operator: 'Exists', scopeName: 'BestEffort' }] },
    },
  },
  Secret: { type: 'Opaque', data: { key: 'AP8B', empty: '' }, immutable: false },
  ServiceAccount: { automountServiceAccountToken: false, imagePullSecrets: [{ name: 'pull' }], secrets: [] },
  Service: {
    spec: {
      selector: LABELS,
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 86400 } },
      ports: [
        { name: 'a', port: 80, targetPort: 'http' },
        { name: 'b', port: 81, targetPort: 8081, protocol: 'UDP' },
      ],
    },
  },
};

const APPS: Readonly<Record<string, JsonObject>> = {
  ControllerRevision: { data: { spec: { template: TEMPLATE.metadata } }, revision: 9223372036854775807n },
  DaemonSet: {
    spec: {
      selector: { matchLabels: LABELS },
      template: TEMPLATE,
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: 0 } },
    },
  },
  Deployment: {
    spec: {
      replicas: 2147483647,
      selector: SELECTOR,
      template: TEMPLATE,
      paused: true,
      revisionHistoryLimit: 0,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '100%' } },
    },
  },
  ReplicaSet: { spec: { replicas: 0, minReadySeconds: 1, selector: SELECTOR, template: TEMPLATE } },
  StatefulSet: {
    spec: {
      serviceName: 'web',
      selector: SELECTOR,
      template: TEMPLATE,
      podManagementPolicy: 'Parallel',
      ordinals: { start: 7 },
      volumeClaimTemplates: [
        {
          metadata: { name: 'data' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
        },
      ],
    },
  },
};

const ADMISSION: Readonly<Record<string, JsonObject>> = {
  MutatingAdmissionPolicy: {
    spec: {
      matchConstraints: { resourceRules: [RULE] },
      reinvocationPolicy: 'Never',
      variables: [{ name: 'n', expression: 'object.metadata.name' }],
      mutations: [
        {
          patchType: 'JSONPatch',
          jsonPatch: { expression: '[JSONPatch{op: "add", path: "/metadata/labels/x", value: "y"}]' },
        },
      ],
    },
  },
  MutatingAdmissionPolicyBinding: { spec: { policyName: 'p', matchResources: { namespaceSelector: SELECTOR } } },
  MutatingWebhookConfiguration: { webhooks: [{ ...WEBHOOK, reinvocationPolicy: 'IfNeeded' }] },
  ValidatingAdmissionPolicy: {
    spec: {
      matchConstraints: { resourceRules: [RULE] },
      failurePolicy: 'Ignore',
      validations: [{ expression: 'object.spec.replicas < 5', message: 'too many', reason: 'Invalid' }],
      auditAnnotations: [{ key: 'k', valueExpression: '"v"' }],
    },
  },
  ValidatingAdmissionPolicyBinding: { spec: { policyName: 'p', validationActions: ['Deny', 'Audit'] } },
  ValidatingWebhookConfiguration: { webhooks: [WEBHOOK] },
};

const SCHEMA = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', format: 'int64', minimum: 0, maximum: 10, default: 3 },
        ratio: { type: 'number', minimum: -0.5, maximum: 1e300 },
        port: { 'x-kubernetes-int-or-string': true },
        mode: { type: 'string', enum: ['a', 'b'] },
        extra: { type: 'object', additionalProperties: { type: 'string' } },
        open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        items: {
          type: 'array',
          items: { type: 'object', properties: { k: { type: 'string' } }, required: ['k'] },
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
        },
      },
      'x-kubernetes-validations': [{ rule: 'self.size >= 0', message: 'negative' }],
    },
  },
};

const POLICIES: Readonly<Record<string, JsonObject>> = {
  CustomResourceDefinition: {
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList', shortNames: ['wd'] },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: SCHEMA },
          subresources: { status: {} },
          additionalPrinterColumns: [{ name: 'Size', type: 'integer', jsonPath: '.spec.size', priority: 1 }],
        },
      ],
    },
  },
  APIService: {
    spec: {
      group: 'metrics.example.com',
      version: 'v1',
      groupPriorityMinimum: 100,
      versionPriority: 15,
      service: { name: 'm', namespace: 'default', port: 443 },
      insecureSkipTLSVerify: true,
    },
  },
  PodDisruptionBudget: {
    spec: { maxUnavailable: '50%', selector: SELECTOR, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
  },
  ClusterRole: {
    rules: [...ROLE_RULES, { nonResourceURLs: ['/healthz'], verbs: ['get'] }],
    aggregationRule: { clusterRoleSelectors: [SELECTOR] },
  },
  ClusterRoleBinding: { subjects: SUBJECTS, roleRef: roleRef('ClusterRole') },
  Role: { rules: ROLE_RULES },
  RoleBinding: { subjects: [], roleRef: roleRef('Role') },
  FlowSchema: {
    spec: {
      priorityLevelConfiguration: { name: 'p' },
      matchingPrecedence: 9999,
      distinguisherMethod: { type: 'ByUser' },
      rules: [
        {
          subjects: [{ kind: 'User', user: { name: '*' } }],
          resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], clusterScope: true, namespaces: ['*'] }],
        },
      ],
    },
  },
  PriorityLevelConfiguration: {
    spec: {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 0,
        limitResponse: { type: 'Queue', queuing: { queues: 64, handSize: 8, queueLengthLimit: 50 } },
      },
    },
  },
};

const WORK: Readonly<Record<string, JsonObject>> = {
  'autoscaling/v1 HorizontalPodAutoscaler': {
    spec: { scaleTargetRef: REFERENCE, minReplicas: 1, maxReplicas: 2147483647, targetCPUUtilizationPercentage: 80 },
  },
  'autoscaling/v2 HorizontalPodAutoscaler': {
    spec: {
      scaleTargetRef: REFERENCE,
      maxReplicas: 3,
      metrics: [
        { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '500Mi' } } },
      ],
      behavior: {
        scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] },
      },
    },
  },
  CronJob: {
    spec: {
      schedule: '*/5 * * * *',
      timeZone: 'Etc/UTC',
      suspend: true,
      startingDeadlineSeconds: 9223372036854775807n,
      jobTemplate: { spec: { template: JOB_TEMPLATE } },
    },
  },
  Job: {
    spec: {
      completions: 3,
      parallelism: 0,
      completionMode: 'Indexed',
      template: JOB_TEMPLATE,
      activeDeadlineSeconds: 9223372036854775807n,
      podFailurePolicy: {
        rules: [{ action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [1, 42] } }],
      },
    },
  },
  Lease: {
    spec: {
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      leaseTransitions: 2147483647,
      acquireTime: '2026-01-02T03:04:05.000001Z',
      renewTime: '2026-01-02T03:04:05.999999Z',
    },
  },
  EndpointSlice: {
    addressType: 'IPv4',
    ports: [{ name: 'a', port: 80, protocol: 'TCP', appProtocol: 'http' }],
    endpoints: [
      {
        addresses: ['10.1.2.3'],
        conditions: { ready: false },
        hints: { forZones: [{ name: 'z' }] },
        targetRef: ENDPOINT_REFERENCE,
      },
    ],
  },
  'events.k8s.io/v1 Event': {
    eventTime: '2026-01-02T03:04:05.123456Z',
    reportingController: 'example.com/c',
    reportingInstance: 'i',
    action: 'Act',
    reason: 'Why',
    type: 'Warning',
    regarding: ENDPOINT_REFERENCE,
    series: { count: 2, lastObservedTime: '2026-01-02T03:04:06.000000Z' },
  },
  PriorityClass: { value: -2147483648, preemptionPolicy: 'Never', description: 'low' },
  RuntimeClass: { handler: 'runc', overhead: { podFixed: { cpu: '10m' } }, scheduling: { nodeSelector: { a: 'b' } } },
};

const NETWORK_AND_STORAGE: Readonly<Record<string, JsonObject>> = {
  IngressClass: {
    spec: {
      controller: 'example.com/ingress',
      parameters: { apiGroup: 'example.com', kind: 'P', name: 'p', scope: 'Cluster' },
    },
  },
  Ingress: {
    spec: {
      ingressClassName: 'c',
      tls: [{ hosts: ['a.example'], secretName: 's' }],
      rules: [
        {
          host: '*.example',
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  IPAddress: { spec: { parentRef: { resource: 'services', namespace: 'default', name: 'web' } } },
  NetworkPolicy: {
    spec: {
      podSelector: SELECTOR,
      policyTypes: ['Ingress', 'Egress'],
      egress: [{}],
      ingress: [
        {
          from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }],
          ports: [{ port: 'http' }, { port: 1, endPort: 65535 }],
        },
      ],
    },
  },
  ServiceCIDR: { spec: { cidrs: ['10.200.0.0/24'] } },
  DeviceClass: { spec: { selectors: [{ cel: { expression: 'device.driver == "a.b"' } }] } },
  ResourceClaim: { spec: DEVICES },
  ResourceClaimTemplate: { spec: { metadata: { labels: LABELS }, spec: DEVICES } },
  ResourceSlice: {
    spec: {
      driver: 'a.b',
      nodeName: 'n',
      pool: { name: 'p', generation: 9223372036854775807n, resourceSliceCount: 1 },
      devices: [
        {
          name: 'd',
          attributes: { serial: { int: -9223372036854775808n }, on: { bool: true } },
          capacity: { memory: { value: '8Gi' } },
        },
      ],
    },
  },
  CSIDriver: {
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ['Persistent'],
      tokenRequests: [{ audience: '', expirationSeconds: 3600 }],
    },
  },
  CSINode: { spec: { drivers: [{ name: 'a.b', nodeID: 'n', topologyKeys: ['z'], allocatable: { count: 0 } }] } },
  CSIStorageCapacity: { storageClassName: 'c', capacity: '1Ti', nodeTopology: SELECTOR },
  StorageClass: {
    provisioner: 'a.b/c',
    parameters: { type: 'fast' },
    mountOptions: ['ro'],
    allowVolumeExpansion: true,
    allowedTopologies: [{ matchLabelExpressions: [{ key: 'z', values: ['1'] }] }],
  },
  VolumeAttachment: { spec: { attacher: 'a.b', nodeName: 'n', source: { persistentVolumeName: 'p' } } },
  VolumeAttributesClass: { driverName: 'a.b', parameters: { iops: '100' } },
};

/** Kind, or `group/version Kind` where two share a name, to the object without kind, apiVersion and metadata. */
export const VALID_OBJECTS: Readonly<Record<string, JsonObject>> = {
  ...CORE,
  ...APPS,
  ...ADMISSION,
  ...POLICIES,
  ...WORK,
  ...NETWORK_AND_STORAGE,
};

/** Names that a kind prescribes; all others take any name. */
export const PRESCRIBED_NAMES: Readonly<Record<string, string>> = {
  CustomResourceDefinition: 'widgets.example.com',
  APIService: 'v1.metrics.example.com',
  IPAddress: '10.96.0.77',
};
