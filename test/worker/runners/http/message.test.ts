import { expect, test } from 'vitest';
import {
  type HttpRequest,
  type HttpSpec,
  headersOf,
  requestedMessage,
} from '../../../../src/worker/runners/http/message.ts';
import { SERVICE_SECRET } from '../../../support/http-service.ts';
import { requestFor } from '../requests.ts';

const AT = new Date(0);
const SPEC: HttpSpec = {
  url: 'https://runner.test/',
  headers: {},
  secrets: [SERVICE_SECRET],
  result: 'answer',
  allowAddresses: [],
};

function sent(more: Partial<HttpRequest>) {
  const request: HttpRequest = { ...requestFor(), http: SPEC, ...more };
  const message = requestedMessage(request, AT, undefined);
  return { headers: headersOf(message, request, AT), body: message.body };
}

test('a service is told which trace it continues, in a header alone, where traces are on and the pipeline names none', () => {
  const traceparent = '00-4e65d3fbe8ad6535681b021b30785b12-2c915daccf8db805-01';
  expect(sent({}).headers).not.toHaveProperty('traceparent');
  expect(sent({ traceparent }).headers).toMatchObject({ traceparent });
  expect(sent({ traceparent }).body).not.toContain(traceparent);
  const http = { ...SPEC, headers: { Traceparent: 'own' } };
  expect(sent({ traceparent, http }).headers).toMatchObject({ traceparent: 'own' });
});
