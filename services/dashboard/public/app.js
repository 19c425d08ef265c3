// The page: takes whole snapshots from `events` and shows them. Everything that comes from the cluster goes into the
// document as text, never as markup; the server's Content-Security-Policy forbids the other way (trusted-types 'none').

const AGES_INTERVAL_MS = 5000;
const RECONNECT_MS = 5000;

/** The server's clock less ours: ages are right on a machine whose clock is wrong. */
let skew_ms = 0;
/** What each part of the page shows, as JSON: a part that did not change is left alone, with the reader's selection in it. */
const shown = new Map();

const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  // Strings become text nodes.
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

const cell = (content) => element('td', {}, content);
const number = (content) => element('td', { class: 'number' }, content);
const name = (content) => element('th', { scope: 'row' }, content);
const health = (text, kind) => element('td', {}, element('span', { 'data-health': kind }, text));
const emptyRow = (columns, text) => element('tr', {}, element('td', { colspan: columns, class: 'empty' }, text));

function age(since) {
  if (Number.isNaN(Date.parse(since))) return '–';
  const made = element('time', { datetime: since, title: new Date(since).toLocaleString() });
  made.textContent = ageText(since);
  return made;
}

function ageText(since) {
  const seconds = Math.max(0, Math.floor((Date.now() + skew_ms - Date.parse(since)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

function part(id, data, show) {
  const json = JSON.stringify(data);
  if (shown.get(id) === json) return;
  shown.set(id, json);
  show(byId(id));
}

function rows(id, { data, columns, empty, row }) {
  part(id, [data, empty], (body) =>
    body.replaceChildren(...(data.length === 0 ? [emptyRow(columns, empty)] : data.map(row))),
  );
}

const memberRow = (member) =>
  element(
    'tr',
    {},
    name(member.name || '?'),
    member.role === ''
      ? health(`does not answer: ${member.error}`, 'bad')
      : health(member.role, member.role === 'leader' || member.role === 'follower' ? 'good' : 'waiting'),
    ...[member.term, member.revision, member.lag].map((value) => number(member.role === '' ? '–' : value)),
    cell(member.endpoint),
  );

const nodeRow = (node) =>
  element(
    'tr',
    {},
    name(node.name),
    health(node.status, node.health),
    cell(node.address),
    number(node.pods),
    number(age(node.since)),
  );

const deploymentRow = (deployment) =>
  element(
    'tr',
    {},
    name(deployment.name),
    cell(deployment.namespace),
    element(
      'td',
      { class: 'number' },
      element('span', { 'data-health': deployment.health }, `${deployment.ready}/${deployment.wanted}`),
    ),
    number(age(deployment.since)),
  );

const podRow = (pod) =>
  element(
    'tr',
    {},
    name(pod.name),
    health(pod.status, pod.health),
    number(pod.restarts),
    cell(pod.node || '–'),
    number(age(pod.since)),
  );

const eventRow = (event) =>
  element(
    'tr',
    {},
    number(age(event.last)),
    event.warning ? health(event.reason, 'bad') : cell(event.reason),
    cell(event.object),
    element('td', { class: 'message' }, event.message),
    number(event.count),
  );

/** One row group for each namespace; the server sorts by namespace. */
function showPods(pods, empty) {
  part('pods', [pods.rows, empty], (table) => {
    const groups = Map.groupBy(pods.rows, (pod) => pod.namespace);
    const bodies = [...groups].map(([namespace, members]) =>
      element(
        'tbody',
        {},
        element('tr', {}, element('th', { scope: 'rowgroup', colspan: 5 }, `${namespace} (${members.length})`)),
        ...members.map(podRow),
      ),
    );
    for (const old of [...table.tBodies]) old.remove();
    table.append(...(bodies.length === 0 ? [element('tbody', {}, emptyRow(5, empty))] : bodies));
  });
}

function showMore(id, { rows: { length }, total }) {
  byId(id).hidden = length >= total;
  byId(id).textContent = `${length} of ${total} are shown; none in trouble is left out before one that is well.`;
}

function showSummary(id, good, total) {
  const target = byId(id);
  target.textContent = total === 0 ? '–' : good === total ? `${total}` : `${good} of ${total} well`;
  if (total === 0) delete target.dataset.health;
  else target.dataset.health = good === total ? 'good' : 'bad';
}

function showState(state) {
  const { members, nodes, deployments, pods, events } = state;
  const answering = members.filter((member) => member.role !== '').length;
  const none = (what) => (state.synced ? `no ${what}` : 'loading…');
  rows('members', { data: members, columns: 6, empty: state.membersError || 'asking the members…', row: memberRow });
  rows('nodes', { data: nodes.rows, columns: 5, empty: none('nodes'), row: nodeRow });
  rows('deployments', { data: deployments.rows, columns: 4, empty: none('deployments'), row: deploymentRow });
  showPods(pods, none('pods'));
  rows('events', { data: events, columns: 5, empty: none('recent events'), row: eventRow });
  showMore('nodes-more', nodes);
  showMore('deployments-more', deployments);
  showMore('pods-more', pods);
  showSummary('sum-members', answering, members.length);
  for (const [id, table] of [
    ['sum-nodes', nodes],
    ['sum-deployments', deployments],
    ['sum-pods', pods],
  ])
    showSummary(id, table.total - table.troubled, table.total);
  const silent = members.length > 0 && answering === 0;
  notice(
    state.membersError !== ''
      ? `The members cannot be asked: ${state.membersError}`
      : silent
        ? 'No member answers. What is below is the last that was known.'
        : '',
  );
}

function notice(text) {
  if (byId('notice').textContent !== text) byId('notice').textContent = text;
  byId('notice').hidden = text === '';
}

function connection(text, kind) {
  const target = byId('connection');
  if (target.textContent !== text) target.textContent = text;
  target.dataset.health = kind;
}

function listen() {
  const source = new EventSource('events');
  source.addEventListener('message', ({ data }) => {
    const { now, state } = JSON.parse(data);
    skew_ms = Date.parse(now) - Date.now();
    connection('Live', 'good');
    showState(state);
  });
  source.addEventListener('error', () => {
    connection('Not connected: the dashboard was stopped, or too many pages are open. Trying again…', 'bad');
    // The browser comes back by itself after a broken connection, but not after a refusal.
    if (source.readyState === EventSource.CLOSED) window.setTimeout(listen, RECONNECT_MS);
  });
}

// A browser page has no Clock of ours.
window.setInterval(() => {
  for (const time of document.querySelectorAll('time')) {
    const text = ageText(time.dateTime);
    if (time.textContent !== text) time.textContent = text;
  }
}, AGES_INTERVAL_MS);
listen();
