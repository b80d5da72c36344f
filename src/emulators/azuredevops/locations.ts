/** What the server tells of its own routes, by the ids under which client libraries look for them. */

function location(area: string, resourceName: string, id: string, routeTemplate: string, version = '7.2') {
  return {
    id,
    area,
    resourceName,
    routeTemplate,
    resourceVersion: 4,
    minVersion: '1.0',
    maxVersion: version,
    releasedVersion: '7.1',
  };
}

const WIT = '{project}/_apis/{area}/{resource}';

export const LOCATIONS = [
  location('wit', 'wiql', '1a9c53f7-f243-4447-b110-35ef023636e4', '{project}/{team}/_apis/{area}/{resource}'),
  location('wit', 'workItems', '72c7ddf8-2cdc-4f60-90cd-ab71c14a399b', `${WIT}/{id}`),
  location('wit', 'workItemsBatch', '908509b6-4248-4475-a1cd-829139ba419f', WIT),
  location(
    'wit',
    'comments',
    '608aac0a-32e1-4493-a863-b9cf4566d257',
    '{project}/_apis/{area}/workItems/{workItemId}/{resource}',
  ),
  location(
    'wit',
    'updates',
    '6570bf97-d02c-4a91-8d93-3abe9895b1a9',
    '{project}/_apis/{area}/workItems/{id}/{resource}',
  ),
  location('wit', 'tags', 'bc15bc60-e7a8-43cb-ab01-2106be3983a1', `${WIT}/{tagIdOrName}`),
  location(
    'wit',
    'states',
    '7c9d7a76-4a09-43e8-b5df-bd792f4ac6aa',
    '{project}/_apis/{area}/workItemTypes/{type}/{resource}',
  ),
  location('wit', 'classificationNodes', 'a70579d1-f53a-48ee-a5be-7be8659023b9', WIT),
  location('core', 'projects', '603fe2ac-9723-48b9-88ad-09305aa6c6e1', '_apis/{resource}/{*projectId}'),
  location('Location', 'connectionData', '00d9565f-ed9c-4a06-9a50-00e7896ccab4', '_apis/{resource}'),
  location('Location', 'resourceAreas', 'e81700f7-3be2-46de-8624-2eb35882fcaa', '_apis/{resource}/{areaId}'),
];

export const RESOURCE_AREAS = [
  { id: '5264459e-e5e0-4bd8-b118-0985e68a4ec5', name: 'wit' },
  { id: '79134c72-4a58-4b42-976c-04e7115f32bf', name: 'core' },
];
