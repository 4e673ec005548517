// The engine that FranceConnect runs on (panva's oidc-provider 9), configured as FranceConnect's public sources show:
// paths, lives, scopes, eidas1, pairwise subjects, signed userinfo, refusals Y030007. Invented people. Loopback only.
// Prints one line of JSON when it listens. Environment: SERVICE (origin of the site), ALG, ID_TTL.
import { createServer } from 'node:http';
import { createHash, randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import { Provider } from 'oidc-provider';

const PREFIX = '/api/v2';
const SERVICE = process.env.SERVICE;
const ALG = process.env.ALG || 'ES256';
const CLIENT = { id: 'abonde-demonstration', secret: 'not-a-secret-of-the-demonstration' };
const PIVOT = ['given_name', 'given_name_array', 'family_name', 'birthdate', 'gender', 'birthplace', 'birthcountry'];

const PEOPLE = {
  ines: { given_name: 'Inès Marie', given_name_array: ['Inès', 'Marie'], family_name: 'LEROUX', birthdate: '1988-04-12', gender: 'female', birthplace: '91471', birthcountry: '99100', email: 'ines.leroux@example.org' },
  paul: { given_name: 'Paul', given_name_array: ['Paul'], family_name: 'MOREL', preferred_username: 'MOREL-GARCIA', birthdate: '1951-01-01', gender: 'male', birthplace: '', birthcountry: '99134', email: 'famille.morel@example.org' },
  zoe: { given_name: 'Zoé', given_name_array: ['Zoé'], family_name: 'MOREL', birthdate: '2012-11-30', gender: 'female', birthplace: '2A004', birthcountry: '99100', email: 'famille.morel@example.org' },
};

// Like FranceConnect: a digest of the civil identity, different at every service.
const subjectOf = (person) => createHash('sha256').update(CLIENT.id + PIVOT.map((name) => person[name]).join('|')).digest('hex') + 'v1';

async function signingKey(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig', kid: `peer:${alg}:${randomBytes(4).toString('hex')}` };
}

const page = (body) => `<!doctype html><html lang="fr"><meta charset="utf-8"><title>Simulation</title><h1>Simulation</h1>${body}</html>`;

// A confirmation that a browser would submit by script; FranceConnect asks nothing.
const logoutSource = async (ctx, form) => { ctx.body = page(form); };

function configuration(keys) {
  return {
    clients: [{
      client_id: CLIENT.id, client_secret: CLIENT.secret,
      redirect_uris: [`${SERVICE}/oidc/franceconnect/callback/`],
      post_logout_redirect_uris: [`${SERVICE}/oidc/franceconnect/fin/`],
      id_token_signed_response_alg: ALG, userinfo_signed_response_alg: ALG,
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['authorization_code'], response_types: ['code'], subject_type: 'pairwise',
    }],
    jwks: { keys },
    routes: { authorization: '/authorize', token: '/token', userinfo: '/userinfo', jwks: '/jwks', end_session: '/session/end', revocation: '/token/revocation' },
    subjectTypes: ['pairwise'],
    pairwiseIdentifier: (_ctx, accountId) => accountId,
    cookies: { keys: [randomBytes(16).toString('hex')], long: { path: '/', signed: true, sameSite: 'lax' }, short: { path: '/', signed: true, sameSite: 'lax' } },
    features: {
      devInteractions: { enabled: false }, jwtUserinfo: { enabled: true }, revocation: { enabled: true }, claimsParameter: { enabled: true },
      resourceIndicators: { enabled: false }, pushedAuthorizationRequests: { enabled: false },
      rpInitiatedLogout: { enabled: true, logoutSource },
    },
    ttl: { AccessToken: 60, AuthorizationCode: 30, Grant: 60, IdToken: Number(process.env.ID_TTL || 60), Interaction: 1800, Session: 1800 },
    acrValues: ['eidas1'],
    scopes: ['openid'],
    claims: {
      openid: ['sub'], given_name: ['given_name', 'given_name_array'], family_name: ['family_name'], birthdate: ['birthdate'], gender: ['gender'],
      birthplace: ['birthplace'], birthcountry: ['birthcountry'], email: ['email'], preferred_username: ['preferred_username'],
      profile: ['given_name', 'given_name_array', 'family_name', 'birthdate', 'gender', 'preferred_username'],
      birth: ['birthplace', 'birthcountry'], identite_pivot: PIVOT, amr: ['amr'],
    },
    responseTypes: ['code'],
    clientAuthMethods: ['client_secret_post', 'private_key_jwt'],
    enabledJWA: { idTokenSigningAlgValues: ['ES256', 'RS256'], userinfoSigningAlgValues: ['ES256', 'RS256'] },
    pkce: { required: () => false },
    interactions: { url: (_ctx, interaction) => `${PREFIX}/interaction/${interaction.uid}` },
    findAccount: async (_ctx, id) => {
      const person = Object.values(PEOPLE).find((candidate) => subjectOf(candidate) === id);
      return person && { accountId: id, claims: async () => ({ sub: id, ...person }) };
    },
    renderError: (ctx, out) => { ctx.type = 'html'; ctx.body = page(`<p>${out.error}: ${out.error_description}</p>`); },
  };
}

async function readForm(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function send(response, status, body) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  response.end(page(body));
}

async function interact(provider, request, response, [, uid, act]) {
  const details = await provider.interactionDetails(request, response);
  if (!act) return send(response, 200, `<form method="post" action="${PREFIX}/interaction/${uid}/login"><button name="who">Choisissez</button></form>`);
  if (act === 'abort') return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'User auth aborted' }, { mergeWithLastSubmission: false });
  const person = PEOPLE[(await readForm(request)).get('who')];
  const accountId = subjectOf(person);
  // The grant comes with the login, or a second step would ask for consent.
  const grant = new provider.Grant({ accountId, clientId: details.params.client_id });
  grant.addOIDCScope(details.params.scope);
  const result = { login: { accountId, acr: 'eidas1', amr: ['pwd'], remember: false }, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

// FranceConnect's own refusals, before the engine sees the request.
function refusals(query) {
  const prompt = (query.get('prompt') || '').split(' ').filter(Boolean);
  return [
    !query.get('acr_values') && 'acr_values', (query.get('nonce') || '').length < 22 && 'nonce', !query.get('state') && 'state',
    prompt.some((value) => !['login', 'consent'].includes(value)) && 'prompt',
  ].filter(Boolean);
}

const server = createServer();
server.listen(0, '127.0.0.1', async () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(origin + PREFIX, configuration([await signingKey('ES256'), await signingKey('RS256')]));
  const engine = provider.callback();
  server.on('request', async (request, response) => {
    const url = new URL(request.url, origin);
    request.originalUrl = request.url;
    const interaction = url.pathname.match(/^\/api\/v2\/interaction\/([^/]+)(?:\/(login|abort))?$/);
    if (interaction) {
      try {
        return await interact(provider, request, response, interaction);
      } catch (error) {
        return send(response, 400, `<p>${error.message}</p>`);
      }
    }
    if (url.pathname === `${PREFIX}/authorize` && request.method === 'GET') {
      const refused = refusals(url.searchParams);
      if (refused.length) return send(response, 400, `<p>Y030007 (${refused.join(', ')})</p>`);
      url.searchParams.set('prompt', 'login consent');
      request.url = `${url.pathname}?${url.searchParams}`;
      request.originalUrl = request.url;
    }
    if (!request.url.startsWith(PREFIX)) return send(response, 404, '');
    request.url = request.url.slice(PREFIX.length) || '/';
    return engine(request, response);
  });
  console.log(JSON.stringify({ issuer: origin + PREFIX }));
});
